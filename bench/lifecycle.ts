import { attempt, guideLifecycle, type GuideTimes } from "../test/support/guide";
import { resetTables } from "../test/support/manyTables";
import { withClient, type DatabaseAccess } from "../test/support/postgres";
import { testRun } from "../test/support/run";
import { classUpdates, type Traffic } from "../test/support/serverLoad";
import { time } from "../test/support/time";
import {
  ALL_PUBLIC,
  measuredTrail,
  stateText,
  trailTraffic,
  type TrailTraffic,
} from "../test/support/trailLoad";
import { bounded, compared, median, milliseconds, type Figure } from "./figures";

/**
 * Measures up and destroy of a whole trail beside the guide's statements, the size of the state, and what the server is
 * asked.
 */
export async function measureLifecycle(
  db: DatabaseAccess,
  tables: number,
  rounds: number,
  progress: (line: string) => void,
): Promise<{ figures: Figure[]; traffic: TrailTraffic }> {
  const guide: GuideTimes[] = [];
  const provider: { up: number; destroy: number; create: number; drop: number }[] = [];
  let state = 0;
  const sides = [
    async () => guide.push(...(await attempt(() => guideLifecycle(db)))),
    async () => {
      const trail = measuredTrail(db);
      const up = await time(() => trail.up(ALL_PUBLIC));
      const create = trail.took("publication");
      state = Buffer.byteLength(stateText(trail));
      const destroy = await time(() => trail.destroy());
      provider.push({ up, destroy, create, drop: trail.took("publication") });
    },
  ];
  for (let round = 1; round <= rounds; round += 1) {
    progress(`up and destroy of ${tables} tables, round ${round} of ${rounds}`);
    for (const side of round % 2 === 1 ? sides : [...sides].reverse()) {
      await side();
      await resetTables(db);
    }
  }
  progress(`up, refresh and destroy of ${tables} tables, statements`);
  const asked = await trailTraffic(db);
  await resetTables(db);
  return {
    figures: [
      compared("Up of everything", tables, pick(provider, "up"), pick(guide, "up")),
      compared("Destroy of everything", tables, pick(provider, "destroy"), pick(guide, "destroy")),
      compared("  Publication: create", tables, pick(provider, "create"), pick(guide, "createPublication")),
      compared("  Publication: drop", tables, pick(provider, "drop"), pick(guide, "dropPublication")),
      {
        ...bounded("State: inputs and outputs", tables, state / 1000, 10, " kB"),
        provider: `${(state / 1000).toFixed(1)} kB`,
      },
    ],
    traffic: asked,
  };
}

/** The figures of what the server is asked, which must be the same at any number of tables. */
export function trafficFigures(measured: ReadonlyMap<number, TrailTraffic>): Figure[] {
  const [first] = measured.values();
  return [...measured].flatMap(([tables, { up, refresh, destroy }]): Figure[] => [
    {
      what: "Statements of an up (logins)",
      tables,
      provider: text(up),
      target: `= ${first?.up.statements ?? 0}, at any size`,
      met: up.statements === first?.up.statements,
    },
    {
      what: "Statements of a no-op read (logins)",
      tables,
      provider: text(refresh),
      target: "<= 5, at any size",
      met: refresh.statements <= 5 && refresh.statements === first?.refresh.statements,
    },
    {
      what: "Statements of a destroy (logins)",
      tables,
      provider: text(destroy),
      target: `= ${first?.destroy.statements ?? 0}, at any size`,
      met: destroy.statements === first?.destroy.statements,
    },
  ]);
}

function text({ statements, logins }: Traffic): string {
  return `${statements} (${logins})`;
}

/** How long a no-op read may take, in milliseconds, and up to how many tables that holds. */
const READ_TARGET = { ms: 200, tables: 5000 };

/** Measures the provider's part of a refresh in which nothing has changed: all six SQL resources in one process. */
export async function measureRead(
  db: DatabaseAccess,
  tables: number,
  rounds: number,
  progress: (line: string) => void,
): Promise<Figure[]> {
  progress(`no-op read of ${tables} tables`);
  const trail = measuredTrail(db);
  await trail.up(ALL_PUBLIC);
  const withLogin: number[] = [];
  const without: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const run = testRun(db);
    try {
      withLogin.push(await time(() => trail.refresh(run)));
      // A write makes the session forget its catalog; this one changes nothing.
      await run.session((session) => session.write("SELECT"));
      without.push(await time(() => trail.refresh(run)));
    } finally {
      await run.end();
    }
  }
  await trail.destroy();
  await resetTables(db);
  const figure = (what: string, ms: number): Figure =>
    tables > READ_TARGET.tables
      ? { what, tables, provider: milliseconds(ms) }
      : bounded(what, tables, ms, READ_TARGET.ms, " ms");
  return [
    figure("No-op read, with both logins", median(withLogin)),
    figure("No-op read, logged in", median(without)),
  ];
}

/** Measures what an up costs that takes in one new table, which no event trigger has seen. */
export async function measureNewTable(
  db: DatabaseAccess,
  tables: number,
  rounds: number,
  progress: (line: string) => void,
): Promise<Figure[]> {
  progress(`a new table among ${tables}`);
  const trail = measuredTrail(db);
  const args = { ...ALL_PUBLIC, trackNewTables: false };
  await trail.up(args);
  const updates: number[] = [];
  const publication: number[] = [];
  try {
    for (let round = 1; round <= rounds; round += 1) {
      await withClient(db.ownerUri, (client) =>
        client.query(`CREATE TABLE public.new_${round} (id int, note text, at timestamptz)`),
      );
      updates.push(await classUpdates(db, () => trail.up(args)));
      publication.push(trail.took("publication"));
    }
  } finally {
    await trail.destroy();
    await withClient(db.ownerUri, async (client) => {
      for (let round = 1; round <= rounds; round += 1)
        await client.query(`DROP TABLE IF EXISTS public.new_${round}`);
    });
    await resetTables(db);
  }
  return [
    bounded("New table: updates of pg_class in an up", tables, Math.max(...updates), 5),
    { what: "  Publication: add one table", tables, provider: milliseconds(median(publication)) },
  ];
}

function pick<Key extends string>(list: readonly Record<Key, number>[], key: Key): number[] {
  return list.map((entry) => entry[key]);
}
