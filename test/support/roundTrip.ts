import { catalogState, differences, newDatabase, uriTo } from "./catalogState";
import { runSql, type TestDatabase } from "./postgres";
import { TARGET, testRun, type LoggedRun } from "./run";
import { Trail, type TrailArgs } from "./trail";

/** A database before a trail, the trail, and what may differ after its destroy. */
export interface Start {
  /** Run first, by the owner, who is no superuser. */
  readonly sql?: string;
  /** Then run by the superuser. */
  readonly superuserSql?: string;
  /** The arguments of the ups, one after the other. Default: one up for schema `public`. */
  readonly ups?: readonly Partial<TrailArgs>[];
  /** Run by the superuser between the last up and the destroy. */
  readonly meanwhile?: string;
  /** All differences after the destroy, as `differences` puts them; each must be there. Default: none. */
  readonly differs?: readonly (string | RegExp)[];
  /** How new tables must be tracked after the ups. Default: not checked. */
  readonly newTables?: "event trigger" | "next up";
  /** How many tables, partitioned ones apart, must be FULL and published after the ups. Default: not checked. */
  readonly tracked?: number;
}

type Database = Pick<TestDatabase, "ownerUri" | "superuserUri" | "sslRootCert">;

/** Expects a new database to have the same catalogs after ups and a destroy as before. */
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
  // Another up finds nothing to do, and the outputs of readiness are right.
  expect(await trail.up(ups.at(-1) ?? { ...TARGET, database })).toEqual([]);
  expect(trail.state["readiness"]?.outputs["ready"]).toBe(true);
  if (start.newTables !== undefined)
    expect(trail.state["readiness"]?.outputs["newTables"]).toBe(start.newTables);
  if (start.tracked !== undefined) expect(await trackedTables(db, database)).toBe(start.tracked);

  if (start.meanwhile !== undefined) await runSql(uriTo(db.superuserUri, database), start.meanwhile);
  const known = structuredClone(trail.state);
  await trail.destroy();
  await expectEqual();

  // Once more with the state from before the destroy, as if its end had not been saved.
  await new Trail(newRun, known).destroy();
  await expectEqual();
}

function fits(line: string, allowed: string | RegExp): boolean {
  return typeof allowed === "string" ? line === allowed : allowed.test(line);
}

/** How many tables that hold rows are FULL and published by `bemi`. */
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
