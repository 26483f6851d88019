import { catalogState, differences, newDatabase, uriTo } from "./catalogState";
import { runSql, type TestDatabase } from "./postgres";
import { TARGET, testRun, type LoggedRun } from "./run";
import { Trail, type TrailArgs } from "./trail";

/** What a database looks like before the trail, what happens to it meanwhile, and what may differ afterwards. */
export interface Start {
  /** Run by the owner, who is no superuser. */
  readonly sql?: string;
  /** Then run by the superuser. */
  readonly superuserSql?: string;
  /** The ups, one after the other. Default: one, for schema `public`. */
  readonly ups?: readonly Partial<TrailArgs>[];
  /** Run by the superuser between the last up and the destroy. */
  readonly meanwhile?: string;
  /** What is not as before, in the words of `differences`; nothing else is. Default: nothing. */
  readonly differs?: readonly (string | RegExp)[];
  /** How the trail must come by new tables after the ups. Default: not looked at. */
  readonly newTables?: "event trigger" | "next up";
  /** How many tables (not partitioned ones) must be FULL and published after the ups: proof of work. */
  readonly tracked?: number;
}

type Database = Pick<TestDatabase, "ownerUri" | "superuserUri" | "sslRootCert">;

/** Ups and a destroy in a new database, and the comparison of its catalogs before and after. */
export async function roundTrip(
  db: Database,
  start: Start,
  newRun: () => LoggedRun = () => testRun(db),
): Promise<void> {
  const database = await newDatabase(db, start);
  const before = await catalogState(db, database);
  const expectEqual = async (): Promise<void> => {
    const found = differences(before, await catalogState(db, database));
    const unexpected = found.filter((line) => !(start.differs ?? []).some((allowed) => fits(line, allowed)));
    expect(unexpected).toEqual([]);
    expect((start.differs ?? []).filter((allowed) => !found.some((line) => fits(line, allowed)))).toEqual([]);
  };

  const trail = new Trail(newRun);
  const ups = (start.ups ?? [{ schemas: ["public"] }]).map((up) => ({ ...TARGET, database, ...up }));
  for (const up of ups) await trail.up(up);
  // Nothing is left to do, and the trail is what it says.
  expect(await trail.up(ups.at(-1) ?? { ...TARGET, database })).toEqual([]);
  expect(trail.state["readiness"]?.outputs["ready"]).toBe(true);
  if (start.newTables !== undefined)
    expect(trail.state["readiness"]?.outputs["newTables"]).toBe(start.newTables);
  if (start.tracked !== undefined) expect(await trackedTables(db, database)).toBe(start.tracked);

  if (start.meanwhile !== undefined) await runSql(uriTo(db.superuserUri, database), start.meanwhile);
  const known = structuredClone(trail.state);
  await trail.destroy();
  await expectEqual();

  // Once more with the state as it was, as after a destroy whose end was not saved.
  await new Trail(newRun, known).destroy();
  await expectEqual();
}

function fits(line: string, allowed: string | RegExp): boolean {
  return typeof allowed === "string" ? line === allowed : allowed.test(line);
}

/** Tables with rows of their own that are FULL and published by `bemi`. */
export async function trackedTables(
  db: Pick<TestDatabase, "superuserUri">,
  database: string,
): Promise<number> {
  const [row] = await runSql<{ tables: number }>(
    uriTo(db.superuserUri, database),
    `SELECT count(*)::int AS tables FROM pg_class c
      WHERE c.relkind = 'r' AND c.relreplident = 'f' AND EXISTS (
        SELECT FROM pg_publication_tables t JOIN pg_namespace n ON n.nspname = t.schemaname AND n.oid = c.relnamespace
         WHERE t.pubname = 'bemi' AND t.tablename = c.relname
        UNION ALL
        SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
         WHERE p.pubname = 'bemi' AND (r.prrelid = c.oid OR r.prrelid IN (SELECT relid FROM pg_partition_ancestors(c.oid))))`,
  );
  return row?.tables ?? -1;
}
