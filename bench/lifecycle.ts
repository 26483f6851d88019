import { bounded, compared, median, milliseconds, type Figure } from "./figures";
import { attempt, guideLifecycle, time, type GuideTimes } from "./guide";
import { connected, type Place } from "./place";
import { startPlugin } from "./plugin";
import { classUpdates, traffic, type Traffic } from "./server";
import { resetTables } from "./tables";
import { Trail } from "./trail";

/** Statements and logins of each operation on a trail. */
export interface TrailTraffic {
  readonly up: Traffic;
  readonly refresh: Traffic;
  readonly destroy: Traffic;
}

/** Up and destroy of a whole trail, against the guide's statements; the state in between; what the server is asked. */
export async function measureLifecycle(
  place: Place,
  tables: number,
  rounds: number,
  progress: (line: string) => void,
): Promise<{ figures: Figure[]; traffic: TrailTraffic }> {
  const guide: GuideTimes[] = [];
  const ours: { up: number; destroy: number; create: number; drop: number }[] = [];
  let state = 0;
  const sides = [
    async () => guide.push(...(await attempt(() => guideLifecycle(place)))),
    async () => {
      const trail = new Trail(place);
      const up = await time(() => trail.up());
      const create = trail.took("publication");
      state = stateSize(trail);
      const destroy = await time(() => trail.destroy());
      ours.push({ up, destroy, create, drop: trail.took("publication") });
    },
  ];
  for (let round = 1; round <= rounds; round += 1) {
    progress(`up and destroy of ${tables} tables, round ${round} of ${rounds}`);
    for (const side of round % 2 === 1 ? sides : [...sides].reverse()) {
      await side();
      await resetTables(place);
    }
  }
  progress(`up, refresh and destroy of ${tables} tables, statements`);
  const asked = await trailTraffic(place);
  await resetTables(place);
  return {
    figures: [
      compared("Up of everything", tables, pick(ours, "up"), pick(guide, "up")),
      compared("Destroy of everything", tables, pick(ours, "destroy"), pick(guide, "destroy")),
      compared("  Publication: create", tables, pick(ours, "create"), pick(guide, "createPublication")),
      compared("  Publication: drop", tables, pick(ours, "drop"), pick(guide, "dropPublication")),
      {
        ...bounded("State: inputs and outputs", tables, state / 1000, 10, " kB"),
        ours: `${(state / 1000).toFixed(1)} kB`,
      },
    ],
    traffic: asked,
  };
}

/** Size of what an engine keeps of the trail, in bytes of JSON. */
export function stateSize(trail: Trail): number {
  return Buffer.byteLength(JSON.stringify(trail.state()));
}

/** Creates a trail, reads it and removes it, each in a plugin process of its own. */
export async function trailTraffic(place: Place): Promise<TrailTraffic> {
  const trail = new Trail(place);
  const up = await traffic(place, () => trail.up());
  const refresh = await traffic(place, () => trail.refresh());
  const destroy = await traffic(place, () => trail.destroy());
  return { up, refresh, destroy };
}

/** The figures for {@link TrailTraffic} at several numbers of tables: they must not differ. */
export function trafficFigures(measured: ReadonlyMap<number, TrailTraffic>): Figure[] {
  const [first] = measured.values();
  return [...measured].flatMap(([tables, { up, refresh, destroy }]): Figure[] => [
    {
      what: "Statements of an up (logins)",
      tables,
      ours: text(up),
      target: `= ${first?.up.statements ?? 0}, at any size`,
      met: up.statements === first?.up.statements,
    },
    {
      what: "Statements of a no-op read (logins)",
      tables,
      ours: text(refresh),
      target: "<= 5, at any size",
      met: refresh.statements <= 5 && refresh.statements === first?.refresh.statements,
    },
    {
      what: "Statements of a destroy (logins)",
      tables,
      ours: text(destroy),
      target: `= ${first?.destroy.statements ?? 0}, at any size`,
      met: destroy.statements === first?.destroy.statements,
    },
  ]);
}

function text({ statements, logins }: Traffic): string {
  return `${statements} (${logins})`;
}

/** How long a no-op read may take, with so many tables at the most. */
const READ_TARGET = { ms: 200, tables: 5000 };

/** A refresh where nothing has changed: the provider's part of it, all six SQL resources in one process. */
export async function measureRead(
  place: Place,
  tables: number,
  rounds: number,
  progress: (line: string) => void,
): Promise<Figure[]> {
  progress(`no-op read of ${tables} tables`);
  const trail = new Trail(place);
  await trail.up();
  const withLogin: number[] = [];
  const without: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const plugin = startPlugin(place);
    try {
      withLogin.push(await time(() => trail.refresh(plugin)));
      // Nothing is written, and the session forgets the catalog it has.
      await plugin.session((session) => session.write("SELECT"));
      without.push(await time(() => trail.refresh(plugin)));
    } finally {
      await plugin.end();
    }
  }
  await trail.destroy();
  await resetTables(place);
  const figure = (what: string, ms: number): Figure =>
    tables > READ_TARGET.tables
      ? { what, tables, ours: milliseconds(ms) }
      : bounded(what, tables, ms, READ_TARGET.ms, " ms");
  return [
    figure("No-op read, with both logins", median(withLogin)),
    figure("No-op read, logged in", median(without)),
  ];
}

/** One new table that no event trigger has seen: what the next up costs. */
export async function measureNewTable(
  place: Place,
  tables: number,
  rounds: number,
  progress: (line: string) => void,
): Promise<Figure[]> {
  progress(`a new table among ${tables}`);
  const trail = new Trail(place, { trackNewTables: false });
  await trail.up();
  const updates: number[] = [];
  const publication: number[] = [];
  try {
    for (let round = 1; round <= rounds; round += 1) {
      await connected(place.ownerUri, (client) =>
        client.query(`CREATE TABLE public.new_${round} (id int, note text, at timestamptz)`),
      );
      updates.push(await classUpdates(place, () => trail.up()));
      publication.push(trail.took("publication"));
    }
  } finally {
    await trail.destroy();
    await connected(place.ownerUri, async (client) => {
      for (let round = 1; round <= rounds; round += 1)
        await client.query(`DROP TABLE IF EXISTS public.new_${round}`);
    });
    await resetTables(place);
  }
  return [
    bounded("New table: updates of pg_class in an up", tables, Math.max(...updates), 5),
    { what: "  Publication: add one table", tables, ours: milliseconds(median(publication)) },
  ];
}

function pick<Key extends string>(list: readonly Record<Key, number>[], key: Key): number[] {
  return list.map((entry) => entry[key]);
}
