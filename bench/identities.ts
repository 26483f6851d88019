import { replicaIdentity } from "../provider/postgres";
import { attempt, withProcedure } from "../test/support/guide";
import { resetTables } from "../test/support/manyTables";
import type { DatabaseAccess } from "../test/support/postgres";
import { TARGET, testRun, withSessions } from "../test/support/run";
import { cpuOf, mostLocks } from "../test/support/serverLoad";
import { time } from "../test/support/time";
import { CHANGES_IDENTITIES, watchedSession } from "../test/support/watchedSession";
import { bounded, compared, type Figure } from "./figures";

/** How long the identities took, in milliseconds. */
interface Timing {
  readonly wall: number;
  /** CPU time of the server process; `undefined` where the system does not tell. */
  readonly cpu: number | undefined;
}
interface ResourceTiming extends Timing {
  /** The statements that change the identities, without the reads before and after them. */
  readonly statement: number;
}

/**
 * Measures how long it takes to set the replica identities of all tables, by the resource and by the guide's procedure.
 * Both use a connection that is open already, and start from tables as created.
 */
export async function measureIdentities(
  db: DatabaseAccess,
  tables: number,
  rounds: number,
  progress: (line: string) => void,
): Promise<Figure[]> {
  const guide: Timing[] = [];
  const resource: ResourceTiming[] = [];
  const tracking: ResourceTiming[] = [];
  const sides = [
    async () => guide.push(...(await attempt(() => byGuide(db)))),
    async () => resource.push(await byResource(db, false)),
    async () => tracking.push(await byResource(db, true)),
  ];
  for (let round = 1; round <= rounds; round += 1) {
    progress(`identities of ${tables} tables, round ${round} of ${rounds}`);
    for (const side of round % 2 === 1 ? sides : [...sides].reverse()) {
      await side();
      await resetTables(db);
    }
  }

  progress(`identities of ${tables} tables, locks`);
  const resourceLocks = await mostLocks(db, () => byResource(db, false));
  await resetTables(db);
  const guideLocks = await mostLocks(db, () => attempt(() => byGuide(db)));
  await resetTables(db);

  const wall = (list: readonly Timing[]): number[] => list.map((timing) => timing.wall);
  const cpu = (list: readonly Timing[]): number[] => list.flatMap((timing) => timing.cpu ?? []);
  const statement = (list: readonly ResourceTiming[]): number[] => list.map((timing) => timing.statement);
  return [
    compared("Identities: the statement that sets them", tables, statement(resource), wall(guide), 1.2),
    compared("  from catalog to verified outputs", tables, wall(resource), wall(guide)),
    compared("  with event triggers for new tables", tables, wall(tracking), wall(guide)),
    ...(cpu(resource).length < rounds
      ? []
      : [compared("  CPU of the server process, without", tables, cpu(resource), cpu(guide))]),
    {
      ...bounded(`Tables locked at once (${resourceLocks.samples} samples)`, tables, resourceLocks.most, 1),
      guide: String(guideLocks.most),
    },
  ];
}

async function byGuide(db: DatabaseAccess): Promise<Timing> {
  let timing: Timing = { wall: NaN, cpu: undefined };
  await withProcedure(db, async (client, call) => {
    const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    timing = await timed(rows[0]?.pid, call);
  });
  return timing;
}

async function byResource(db: DatabaseAccess, trackNewTables: boolean): Promise<ResourceTiming> {
  const run = testRun(db);
  let statement = 0;
  const watched = withSessions(run, (session) =>
    watchedSession(session, async (text, send) => {
      const started = performance.now();
      try {
        return await send();
      } finally {
        if (CHANGES_IDENTITIES.test(text)) statement += performance.now() - started;
      }
    }),
  );
  try {
    const pid = await run.session(async (session) => {
      const [row] = await session.read<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      return row?.pid;
    });
    const inputs = {
      ...TARGET,
      schemas: ["public"],
      trackNewTables,
      publication: "bemi",
      managedBy: "bench",
    };
    const timing = await timed(pid, async () => {
      const { wanted, done } = await replicaIdentity.create(inputs, watched);
      if (done !== wanted) throw new Error(`only ${done} of ${wanted} tables have the identity FULL`);
    });
    return { ...timing, statement };
  } finally {
    await run.end();
  }
}

/** @param pid process id of the connection's server process */
async function timed(pid: number | undefined, work: () => Promise<unknown>): Promise<Timing> {
  const cpu = async (): Promise<number | undefined> => (pid === undefined ? undefined : await cpuOf(pid));
  const before = await cpu();
  const wall = await time(work);
  const after = await cpu();
  return { wall, cpu: before === undefined || after === undefined ? undefined : after - before };
}
