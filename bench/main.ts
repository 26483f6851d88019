import type { Cleanup } from "../tools/start/cleanup";
import { runCommand } from "../tools/start/command";
import type { Steps } from "../tools/start/steps";
import { figuresTable, type Figure } from "./figures";
import { measureIdentities } from "./identities";
import {
  measureLifecycle,
  measureNewTable,
  measureRead,
  trafficFigures,
  type TrailTraffic,
} from "./lifecycle";
import { parseOptions, type BenchOptions, type Part } from "./options";
import { openPlace, type Place } from "./place";
import { provideTables } from "./tables";

/**
 * `npm run bench`: measures the SQL side of the provider on a real server, next to the statements of Neon's guide on the
 * same server in the same run, and prints every figure with its target. A missed target fails nothing.
 *
 * @returns the exit code: 0 when all was measured, 128 and the signal's number when a signal ended it, else 1.
 */
export function main(args: readonly string[]): Promise<number> {
  return runCommand((steps, cleanup) => measure(parseOptions(args), steps, cleanup));
}

async function measure(options: BenchOptions, steps: Steps, cleanup: Cleanup): Promise<void> {
  const { tables, postgres, parts, rounds } = options;
  const place = await steps.run(
    `Starting PostgreSQL ${postgres}`,
    async (progress) => {
      const opened = await openPlace({ version: postgres, progress });
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
      () => provideTables(place, count),
      () => `${count} tables, every other one with a primary key`,
    );
    for (const part of parts) {
      // What a handful of tables takes is dominated by the round trips around them.
      if (part === "identities" && count < 100) continue;
      const found = await steps.run(
        `Measuring ${part}, ${count} tables`,
        (progress) => measurePart(part, { place, count, rounds, progress, asked }),
        () => `${part}, ${count} tables`,
      );
      figures.push(...found);
    }
  }
  figures.push(...trafficFigures(asked));
  const missed = figures.filter(({ met }) => met === false).length;
  steps.print(
    "",
    figuresTable(figures.sort((a, b) => a.tables - b.tables)),
    `Medians of ${rounds} rounds, in which ours and the guide's statements take turns to go first.`,
    missed === 0
      ? "Every target is met."
      : `${missed} of ${figures.filter(({ met }) => met !== undefined).length} targets are missed.`,
  );
}

interface Job {
  readonly place: Place;
  /** Number of tables. */
  readonly count: number;
  readonly rounds: number;
  readonly progress: (line: string) => void;
  /** What the server was asked, by number of tables: compared when all is measured. */
  readonly asked: Map<number, TrailTraffic>;
}

async function measurePart(part: Part, { place, count, rounds, progress, asked }: Job): Promise<Figure[]> {
  switch (part) {
    case "identities":
      return measureIdentities(place, count, rounds, progress);
    case "lifecycle": {
      const { figures, traffic } = await measureLifecycle(place, count, rounds, progress);
      asked.set(count, traffic);
      return figures;
    }
    case "read":
      return measureRead(place, count, rounds, progress);
    case "new-table":
      return measureNewTable(place, count, rounds, progress);
  }
}
