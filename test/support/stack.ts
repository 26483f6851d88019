import type { PublicationInputs, PublicationOutputs } from "../../provider/contract/kinds/publication";
import type {
  ReplicaIdentityInputs,
  ReplicaIdentityOutputs,
} from "../../provider/contract/kinds/replicaIdentity";
import { publication } from "../../provider/postgres/publication/publication";
import { replicaIdentity } from "../../provider/postgres/identity/replicaIdentity";
import { Engine, type EngineState, type Program } from "./engine";
import { TARGET, type TestRun } from "./run";

/** The arguments that say which tables are tracked. `trackNewTables` is true by default. */
export type TrackingArgs = Pick<
  PublicationInputs,
  "schemas" | "tables" | "allTables" | "excludeTables" | "identity"
> &
  Partial<Pick<PublicationInputs, "trackNewTables">>;

/** The state of a stack with the two resources that make tables tracked. */
export interface Stack {
  readonly identity: ReplicaIdentityInputs & ReplicaIdentityOutputs;
  readonly publication: PublicationInputs & PublicationOutputs;
}

/** In the order of their dependencies. */
const KINDS = { identity: replicaIdentity, publication };

const SHARED = { ...TARGET, trackNewTables: true, managedBy: "shop/production/orders" };

export function identityInputs(args: TrackingArgs): ReplicaIdentityInputs {
  return { ...SHARED, ...args, publication: "bemi" };
}

export function publicationInputs(args: TrackingArgs, adopt = false): PublicationInputs {
  return { ...SHARED, ...args, name: "bemi", adopt };
}

/** Creates both resources. */
export function up(run: TestRun, args: TrackingArgs, adopt = false): Promise<Stack> {
  return apply(run, {}, args, adopt);
}

/** Updates both resources after the program has changed. */
export function change(run: TestRun, stack: Stack, args: TrackingArgs): Promise<Stack> {
  return apply(run, stateOf(stack), args, false);
}

/** What a preview of both resources says, by resource; without a stack, of creating them. */
export function preview(
  run: TestRun,
  args: TrackingArgs,
  { stack, adopt = false }: { readonly stack?: Stack; readonly adopt?: boolean } = {},
): Promise<Record<string, readonly string[]>> {
  return engineOn(run, stack === undefined ? {} : stateOf(stack)).preview(programOf(args, adopt));
}

/** Deletes both resources, in a new session. */
export async function down(run: TestRun, stack: Stack): Promise<void> {
  await run.end();
  await engineOn(run, stateOf(stack)).destroy();
}

async function apply(run: TestRun, state: EngineState, args: TrackingArgs, adopt: boolean): Promise<Stack> {
  const engine = engineOn(run, state);
  await engine.apply(programOf(args, adopt));
  const made = Object.entries(engine.state).map(([name, { inputs, outputs }]) => [
    name,
    { ...inputs, ...outputs },
  ]);
  return Object.fromEntries(made) as Stack;
}

function programOf(args: TrackingArgs, adopt: boolean): Program {
  return {
    identity: () => identityInputs(args),
    publication: () => publicationInputs(args, adopt),
  };
}

/** An engine whose steps all use the test's own process, which goes on afterwards. */
function engineOn(run: TestRun, state: EngineState): Engine {
  const process = { ...run, end: () => Promise.resolve() };
  return new Engine(KINDS, () => process, {
    state,
    processPer: "phase",
    refreshes: false,
    updatesAll: true,
  });
}

function stateOf({ identity, publication: published }: Stack): EngineState {
  return {
    identity: { inputs: { ...identity }, outputs: {} },
    publication: { inputs: { ...published }, outputs: {} },
  };
}
