import { replicaIdentity } from "../provider/postgres";
import { bounded, compared, type Figure } from "./figures";
import { attempt, time, withProcedure } from "./guide";
import type { Place } from "./place";
import { startPlugin, TARGET } from "./plugin";
import { cpuOf, mostLocks } from "./server";
import { resetTables } from "./tables";

/** How the one statement that changes identities is known among the others. */
export const CHANGES = /^DO [\s\S]*REPLICA IDENTITY/;

interface Timing {
  readonly wall: number;
  /** Of the server process. */
  readonly cpu: number | undefined;
}
interface OurTiming extends Timing {
  /** The statement that changes the identities, alone. */
  readonly statement: number;
}

/**
 * Replica identities of all tables, set by the resource and by the guide's procedure, on connections that are open
 * already. Both start from tables as created.
 */
export async function measureIdentities(
  place: Place,
  tables: number,
  rounds: number,
  progress: (line: string) => void,
): Promise<Figure[]> {
  const guide: Timing[] = [];
  const ours: OurTiming[] = [];
  const tracking: OurTiming[] = [];
  const sides = [
    async () => guide.push(...(await attempt(() => byGuide(place)))),
    async () => ours.push(await byResource(place, false)),
    async () => tracking.push(await byResource(place, true)),
  ];
  for (let round = 1; round <= rounds; round += 1) {
    progress(`identities of ${tables} tables, round ${round} of ${rounds}`);
    for (const side of round % 2 === 1 ? sides : [...sides].reverse()) {
      await side();
      await resetTables(place);
    }
  }

  progress(`identities of ${tables} tables, locks`);
  const ourLocks = await mostLocks(place, () => byResource(place, false));
  await resetTables(place);
  const guideLocks = await mostLocks(place, () => attempt(() => byGuide(place)));
  await resetTables(place);

  const wall = (list: readonly Timing[]): number[] => list.map((timing) => timing.wall);
  const cpu = (list: readonly Timing[]): number[] => list.flatMap((timing) => timing.cpu ?? []);
  const statement = (list: readonly OurTiming[]): number[] => list.map((timing) => timing.statement);
  return [
    compared("Identities: the statement that sets them", tables, statement(ours), wall(guide), 1.2),
    compared("  from catalog to verified outputs", tables, wall(ours), wall(guide)),
    compared("  with event triggers for new tables", tables, wall(tracking), wall(guide)),
    ...(cpu(ours).length < rounds
      ? []
      : [compared("  CPU of the server process, without", tables, cpu(ours), cpu(guide))]),
    {
      ...bounded(`Tables locked at once (${ourLocks.samples} samples)`, tables, ourLocks.most, 1),
      guide: String(guideLocks.most),
    },
  ];
}

async function byGuide(place: Place): Promise<Timing> {
  let timing: Timing = { wall: NaN, cpu: undefined };
  await withProcedure(place, async (client, call) => {
    const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    timing = await timed(rows[0]?.pid, call);
  });
  return timing;
}

async function byResource(place: Place, trackNewTables: boolean): Promise<OurTiming> {
  const plugin = startPlugin(place);
  try {
    const pid = await plugin.session(async (session) => {
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
      const { wanted, done } = await replicaIdentity.create(inputs, plugin);
      if (done !== wanted) throw new Error(`only ${done} of ${wanted} tables have the identity FULL`);
    });
    return { ...timing, statement: plugin.timeOf(CHANGES) };
  } finally {
    await plugin.end();
  }
}

async function timed(pid: number | undefined, work: () => Promise<unknown>): Promise<Timing> {
  const cpu = async (): Promise<number | undefined> => (pid === undefined ? undefined : await cpuOf(pid));
  const before = await cpu();
  const wall = await time(work);
  const after = await cpu();
  return { wall, cpu: before === undefined || after === undefined ? undefined : after - before };
}
