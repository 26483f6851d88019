import type { Client } from "pg";
import { publication, replicaIdentity } from "../provider/postgres";
import { withClient, type DatabaseAccess, type TestDatabase } from "../test/support/postgres";
import { TARGET, testRun } from "../test/support/run";
import { cpuOf } from "../test/support/serverLoad";
import { time } from "../test/support/time";
import { compared, type Figure } from "./figures";

/** The small migrations, and the tables of the one big migration: as many `CREATE TABLE` as have been seen in practice. */
const [MIGRATIONS, TABLES] = [200, 400] as const;

/** On Neon, a compute serves every database of its branch. What a session sees of locks is those of all databases. */
const DATABASES = [1, 60] as const;

const INPUTS = { ...TARGET, schemas: ["public"], trackNewTables: true, managedBy: "bench" };

/** A migration as tools write it: four statements about one table. */
function migration(table: string): string[] {
  return [
    `CREATE TABLE ${table} (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text)`,
    `ALTER TABLE ${table} ADD COLUMN at timestamptz DEFAULT now()`,
    `CREATE INDEX ON ${table} (at)`,
    `ALTER TABLE ${table} ALTER COLUMN note SET NOT NULL`,
  ];
}

/** How long the two kinds of migrations took, in milliseconds. CPU time is that of the server process, on Linux alone. */
interface Times {
  readonly small: number;
  readonly big: number;
  readonly smallCpu: number | undefined;
  readonly bigCpu: number | undefined;
}

/**
 * Measures what the event trigger for new tables costs the DDL of an application: the same statements with and without it,
 * in turns, as the owner of the database and straight on the server.
 */
export async function measureTriggers(
  db: TestDatabase,
  rounds: number,
  progress: (line: string) => void,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const databases of DATABASES) {
    progress(`event trigger, ${databases} databases`);
    await provideDatabases(db, databases);
    const times = { with: [] as Times[], without: [] as Times[] };
    for (let round = 1; round <= rounds; round += 1)
      for (const side of round % 2 === 1 ? (["without", "with"] as const) : (["with", "without"] as const)) {
        progress(`event trigger, ${databases} databases, round ${round} of ${rounds}, ${side} it`);
        times[side].push(await migrating(db, side === "with"));
      }
    const where = databases === 1 ? "1 database" : `${databases} databases`;
    const slowed = (what: string, tables: number, of: keyof Times, most?: number): Figure[] => {
      const sides = [times.with, times.without].map((list) => list.flatMap((each) => each[of] ?? []));
      const [own = [], base = []] = sides;
      return own.length < rounds ? [] : [compared(`${what}, ${where}`, tables, own, base, most)];
    };
    figures.push(
      ...slowed(`DDL: ${MIGRATIONS} small migrations`, MIGRATIONS, "small", 1.5),
      ...slowed("  CPU of the server process", MIGRATIONS, "smallCpu"),
      ...slowed(`DDL: ${TABLES * 4} statements in one transaction`, TABLES, "big", 2),
      ...slowed("  CPU of the server process", TABLES, "bigCpu"),
    );
  }
  return figures;
}

/** Runs the migrations on tables that nobody else has, and leaves the database as it was. */
async function migrating(db: TestDatabase, tracked: boolean): Promise<Times> {
  const run = testRun(db);
  const identity = tracked ? { ...INPUTS, publication: "bemi" } : undefined;
  const published = { ...INPUTS, name: "bemi", adopt: false };
  try {
    const made = identity && (await replicaIdentity.create(identity, run));
    const list = identity && (await publication.create(published, run));
    // Not through the front door, which would hide a part of the difference in its own time.
    const times = await withClient(db.superuserUri, async (client) => {
      await client.query("SET SESSION AUTHORIZATION neondb_owner");
      const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      const cpu = () => cpuOf(rows[0]?.pid ?? 0);
      const began = await cpu();
      const small = await time(() => repeated(client, MIGRATIONS, "small"));
      const between = await cpu();
      const big = await time(async () => {
        await client.query("BEGIN");
        await repeated(client, TABLES, "big");
        await client.query("COMMIT");
      });
      const ended = await cpu();
      return { small, big, smallCpu: difference(began, between), bigCpu: difference(between, ended) };
    });
    if (identity && made && list) {
      await publication.delete({ ...published, ...list }, run);
      await replicaIdentity.delete({ ...identity, ...made }, run);
    }
    return times;
  } finally {
    await run.end();
    await db.clear();
    await settle(db);
  }
}

function difference(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : to - from;
}

async function repeated(client: Client, count: number, name: string): Promise<void> {
  for (let n = 0; n < count; n += 1)
    for (const statement of migration(`public.${name}_${n}`)) await client.query(statement);
}

async function provideDatabases({ superuserUri }: DatabaseAccess, count: number): Promise<void> {
  await withClient(superuserUri, async (client) => {
    const { rows } = await client.query<{ n: string }>(
      "SELECT count(*) AS n FROM pg_database WHERE datname LIKE 'other_%'",
    );
    for (let n = Number(rows[0]?.n) + 1; n < count; n += 1) await client.query(`CREATE DATABASE other_${n}`);
  });
}

async function settle({ superuserUri }: DatabaseAccess): Promise<void> {
  await withClient(superuserUri, async (client) => {
    await client.query("VACUUM ANALYZE");
    await client.query("CHECKPOINT");
  });
}
