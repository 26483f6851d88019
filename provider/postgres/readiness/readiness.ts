import { readinessInputs, type ReadinessInputs } from "../../contract/inputs";
import type { Drift, Kind } from "../../contract/kind";
import type { ReadinessOutputs } from "../../contract/outputs";
import { recorded } from "../../contract/target";
import type { Catalog } from "../../contract/catalog";
import { describeFindings, failOnBlocking, formatVersion, type Finding } from "../selection/findings";
import { unlessGone } from "../session/gone";
import { coverage, readinessFindings } from "./findings";
import { slotState } from "../slot/replicationSlot";
import { select } from "../selection/selection";
import type { Session } from "../../contract/session";
import { newTablesMode } from "../tracking/state";

/** How many problems the outputs and the drift name at most, so that the state stays small. */
const NAMED = 20;

/**
 * Verifies the whole trail from the catalog, and changes nothing. If writes would fail or changes would not be captured,
 * the up fails with a list of the problems. Whatever works with limits is listed in the outputs.
 */
export const readiness: Kind<ReadinessInputs, ReadinessOutputs> = {
  name: "readiness",
  inputs: readinessInputs,
  replaceOn: ["projectId", "branch", "database"],
  id: ({ database, publication }) => `${database}/${publication}/readiness`,

  create: (inputs, run) => run.sql(inputs, verify(inputs)),

  update: (state, inputs, run) => run.sql(inputs, verify(inputs), state),

  read: (state, run) =>
    unlessGone(() =>
      run.sql(
        state,
        async (session) => {
          const { outputs, findings } = check(session, await session.catalog(), state);
          return { outputs, drift: driftOf(outputs, findings, state.degraded) };
        },
        state,
      ),
    ),

  delete: () => Promise.resolve(),
};

function verify(inputs: ReadinessInputs) {
  return async (session: Session): Promise<ReadinessOutputs> => {
    // Other processes and Neon's API may have changed the trail since the catalog was cached.
    const { outputs, findings } = check(session, await session.freshCatalog(), inputs);
    failOnBlocking(findings, `The audit trail of database "${inputs.database}" is not ready:`);
    return outputs;
  };
}

/** What the trail is like according to the catalog. */
export function check(
  session: Pick<Session, "target">,
  catalog: Catalog,
  inputs: ReadinessInputs,
): { outputs: ReadinessOutputs; findings: Finding[] } {
  const tables = select(catalog, inputs);
  const findings = readinessFindings(catalog, inputs, tables);
  const { selected, published, full } = coverage(catalog, inputs.publication, tables);
  const outputs: ReadinessOutputs = {
    ...recorded(session.target),
    ready: !findings.some(({ severity }) => severity === "blocking"),
    walLevel: catalog.server.walLevel,
    serverVersion: formatVersion(catalog.server.version),
    publishedTables: `${published} of ${selected}`,
    fullIdentity: `${full} of ${selected}`,
    slotState: slotState(catalog, inputs.slot),
    newTables: newTablesMode(catalog, inputs.publication, inputs, inputs.trackNewTables),
    degraded: describeFindings(findings, "degraded").slice(0, NAMED),
  };
  return { outputs, findings };
}

function driftOf(
  outputs: ReadinessOutputs,
  findings: readonly Finding[],
  before: readonly string[] | undefined,
): Drift {
  return {
    ...(outputs.ready ? {} : { notReady: describeFindings(findings, "blocking").slice(0, NAMED) }),
    ...(JSON.stringify(outputs.degraded) === JSON.stringify(before ?? [])
      ? {}
      : { degraded: outputs.degraded }),
  };
}
