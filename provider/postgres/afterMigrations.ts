import { recordedTarget } from "../contract/fields/target";
import type { Kind, Planned, Run } from "../contract/kind";
import { printable } from "../contract/printable";
import type { RecordedTarget, Target } from "../contract/target";
import { firstFew } from "../contract/wording";
import { SELECTS_NOTHING } from "./publication/preview";
import { existingPart } from "./selection/existing";
import type { Selection } from "./selection/selection";

/** Inputs of a kind whose tables the migrations of a trail may make. */
interface Inputs extends Target, Selection {
  readonly database: string;
  readonly migrations?: readonly string[];
}

/** Outputs that no migration changes. A preview still knows them. */
const LASTING = new Set([...Object.keys(recordedTarget), "ownershipId", "created"]);

/**
 * A kind that can come after migrations. While these are pending, so as long as `migrations` differs from the state:
 *
 * - its plan is about the tables that exist, and says which of the selected ones do not. What depends on the tables is
 *   not known yet;
 * - its create and update read the catalog again, because the command of the migrations has a connection of its own.
 */
export function afterMigrations<In extends Inputs, Out extends object>(kind: Kind<In, Out>): Kind<In, Out> {
  return {
    ...kind,
    plan: async (inputs, run, state, replaces, others) => {
      if (!isPending(inputs, state)) return kind.plan(inputs, run, state, replaces, others);
      const { selection, missing } = await run.sql(
        inputs,
        async (session) => existingPart(await run.forecast(session), inputs),
        recordedIn(state),
      );
      const { outputs, changes } = await kind.plan(selection, run, state, replaces, others);
      return {
        outputs: lasting(outputs),
        changes: [
          ...changes.filter((line) => line !== SELECTS_NOTHING),
          ...(await sayOnce(inputs, run, missing)),
        ],
      };
    },
    create: async (inputs, run, replaces, others) => {
      if (isPending(inputs, undefined)) await lookAgain(inputs, run, undefined);
      return kind.create(inputs, run, replaces, others);
    },
    update: async (state, inputs, run, others) => {
      if (isPending(inputs, state)) await lookAgain(inputs, run, recordedIn(state));
      return kind.update(state, inputs, run, others);
    },
  };
}

/** Whether migrations run that the state does not know of. Triggers that are not known yet count as changed. */
function isPending({ migrations }: Inputs, state: Inputs | undefined): boolean {
  return migrations !== undefined && JSON.stringify(migrations) !== JSON.stringify(state?.migrations);
}

function recordedIn(
  state: (Inputs & Partial<RecordedTarget>) | undefined,
): Partial<RecordedTarget> | undefined {
  return state;
}

async function lookAgain(
  inputs: Inputs,
  run: Run,
  recorded: Partial<RecordedTarget> | undefined,
): Promise<void> {
  await run.sql(inputs, (session) => session.freshCatalog(), recorded);
}

function lasting<Outputs extends object>(outputs: Partial<Outputs>): Planned<Outputs>["outputs"] {
  const known = Object.entries(outputs).filter(([name]) => LASTING.has(name));
  return Object.fromEntries(known) as Partial<Outputs>;
}

/** The line about what does not exist yet, for the first resource of the command that comes to it. */
async function sayOnce(inputs: Inputs, run: Run, missing: readonly string[]): Promise<readonly string[]> {
  if (missing.length === 0) return [];
  const { projectId, branch, database } = inputs;
  const lines: string[] = [];
  await run.oncePerCommand(JSON.stringify(["migrations", projectId, branch, database]), () => {
    lines.push(
      `Does not exist yet: ${printable(firstFew(missing))}. The migrations are to create ${missing.length === 1 ? "it" : "them"}: otherwise up fails after they have run, before it tracks anything.`,
    );
    return Promise.resolve("said");
  });
  return lines;
}
