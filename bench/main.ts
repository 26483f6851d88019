import type { Cleanup } from "../tools/start/cleanup";
import { runCommand } from "../tools/start/command";
import type { Steps } from "../tools/start/steps";
import { provideTables } from "../test/support/manyTables";
import { testDatabase, type DatabaseAccess } from "../test/support/postgres";
import type { TrailTraffic } from "../test/support/trailLoad";
import { figuresTable, type Figure } from "./figures";
import { measureEngine } from "./engine";
import { fleetTable, measureFleet } from "./fleet";
import { measureIdentities } from "./identities";
import { measureLifecycle, measureNewTable, measureRead, trafficFigures } from "./lifecycle";
import { measureTriggers } from "./triggers";
import { parseOptions, SQL_PARTS, type BenchOptions, type SqlPart } from "./options";

/**
 * `npm run bench`: measures the SQL side of the provider on a real server, and the statements of Neon's guide on the
 * same server in the same run; then the whole provider under Pulumi's engine. Prints every figure with its target. A missed
 * target fails nothing.
 *
 * @returns the exit code: 0 when all was measured; 128 plus the signal's number when a signal ended it; otherwise 1
 */
export function main(args: readonly string[]): Promise<number> {
  return runCommand((steps, cleanup) => measure(parseOptions(args), steps, cleanup));
}

async function measure(options: BenchOptions, steps: Steps, cleanup: Cleanup): Promise<void> {
  const { parts, rounds } = options;
  if (parts.includes("fleet")) {
    const measured = await steps.run(
      `Measuring stacks of ${options.trails.join(", ")} trails`,
      (progress) =>
        measureFleet(options.trails, cleanup, progress, (figure) => {
          steps.print(fleetTable(figure));
        }),
      () => "many trails in one stack",
    );
    steps.print("", fleetTable(measured));
    return;
  }
  const figures = SQL_PARTS.some((part) => parts.includes(part))
    ? await measureSql(options, steps, cleanup)
    : [];
  if (parts.includes("triggers"))
    figures.push(
      ...(await steps.run(
        "Measuring the event triggers",
        (progress) => measureEventTriggers(options, cleanup, progress),
        () => "event triggers",
      )),
    );
  if (parts.includes("engine"))
    figures.push(
      ...(await steps.run(
        "Measuring under Pulumi's engine",
        (progress) => measureEngine(rounds, cleanup, progress),
        () => "under Pulumi's engine",
      )),
    );
  const missed = figures.filter(({ met }) => met === false).length;
  steps.print(
    "",
    figuresTable(figures),
    `Medians of ${rounds} rounds, in which the provider and what it is compared with take turns.`,
    missed === 0
      ? "Every target is met."
      : `${missed} of ${figures.filter(({ met }) => met !== undefined).length} targets are missed.`,
  );
}

/** On a server of its own, without the sandbox's event triggers, which would take their time on both sides. */
async function measureEventTriggers(
  { postgres, rounds }: BenchOptions,
  cleanup: Cleanup,
  progress: (line: string) => void,
): Promise<Figure[]> {
  const db = await testDatabase({ version: postgres, profile: "strict", owner: "superuser", progress });
  cleanup.add(() => db.close());
  return measureTriggers(db, rounds, progress);
}

async function measureSql(options: BenchOptions, steps: Steps, cleanup: Cleanup): Promise<Figure[]> {
  const { tables, postgres, parts, rounds } = options;
  const db = await steps.run(
    `Starting PostgreSQL ${postgres}`,
    async (progress) => {
      const opened = await testDatabase({ version: postgres, profile: "neon", progress });
      cleanup.add(() => opened.close());
      return opened;
    },
    () => `PostgreSQL ${postgres} runs, with fsync`,
  );
  const figures: Figure[] = [];
  const asked = new Map<number, TrailTraffic>();
  for (const count of tables) {
    await steps.run(
      `Creating ${count} tables`,
      () => provideTables(db, count),
      () => `${count} tables, every other one with a primary key`,
    );
    for (const part of SQL_PARTS.filter((each) => parts.includes(each))) {
      // With a handful of tables, the time goes into round trips.
      if (part === "identities" && count < 100) continue;
      const found = await steps.run(
        `Measuring ${part}, ${count} tables`,
        (progress) => measurePart(part, { db, count, rounds, progress, asked }),
        () => `${part}, ${count} tables`,
      );
      figures.push(...found);
    }
  }
  figures.push(...trafficFigures(asked));
  return figures.sort((a, b) => a.tables - b.tables);
}

interface Job {
  readonly db: DatabaseAccess;
  /** Number of tables. */
  readonly count: number;
  readonly rounds: number;
  readonly progress: (line: string) => void;
  /** What the server was asked, by number of tables. The numbers are compared when all is measured. */
  readonly asked: Map<number, TrailTraffic>;
}

async function measurePart(part: SqlPart, { db, count, rounds, progress, asked }: Job): Promise<Figure[]> {
  switch (part) {
    case "identities":
      return measureIdentities(db, count, rounds, progress);
    case "lifecycle": {
      const { figures, traffic } = await measureLifecycle(db, count, rounds, progress);
      asked.set(count, traffic);
      return figures;
    }
    case "read":
      return measureRead(db, count, rounds, progress);
    case "new-table":
      return measureNewTable(db, count, rounds, progress);
  }
}
