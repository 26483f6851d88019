import {
  type ReadinessInputs,
  type ReadinessOutputs,
  readinessDefinition,
} from "../../contract/kinds/readiness";
import type { Drift, Kind } from "../../contract/kind";
import { recorded } from "../../contract/target";
import { counted } from "../../contract/wording";
import type { Catalog } from "../../contract/catalog";
import { describeFindings, failOnBlocking, formatVersion, type Finding } from "../selection/findings";
import { unlessGone } from "../session/gone";
import { coverage, readinessFindings } from "./findings";
import { withoutForeignSlots } from "../slot/plan";
import { slotState } from "../slot/replicationSlot";
import { select } from "../selection/selection";
import type { Session } from "../../contract/session";
import { needsSecondUp } from "./secondUp";
import { newTablesMode } from "../tracking/state";

/** How many limits the outputs name at most, so that the state stays small. */
const NAMED = 20;

/** How many problems the drift names. */
const DRIFT_NAMED = 5;

/**
 * Verifies the whole trail from the catalog, and changes nothing. If writes would fail or changes would not be captured,
 * the up fails with a list of the problems. Whatever works with limits is listed in the outputs.
 */
export const readiness: Kind<ReadinessInputs, ReadinessOutputs> = {
  definition: readinessDefinition,
  id: ({ database }) => `${database}/readiness`,

  plan: (inputs, run, state) =>
    run.sql(
      inputs,
      async (session) => {
        const expected = await run.forecast(session);
        const { outputs, findings } = check(session, expected, inputs);
        const later = needsSecondUp(findings, await session.catalog(), expected, inputs);
        failIfNotReady(
          findings.filter((finding) => !later.includes(finding)),
          inputs,
        );
        const changes = describeFindings(later, "blocking").map((line) => `This needs a second up: ${line}`);
        return { outputs, changes };
      },
      state,
    ),

  create: (inputs, run) => run.sql(inputs, (session) => verifyNow(session, inputs)),

  update: (state, inputs, run) => run.sql(inputs, (session) => verifyNow(session, inputs), state),

  read: (state, run) =>
    unlessGone(() =>
      run.sql(
        state,
        async (session) => {
          const { outputs, findings } = check(session, await session.catalog(), state);
          return { outputs, drift: driftOf(findings) };
        },
        state,
      ),
    ),

  delete: () => Promise.resolve(),
};

/** @throws UserError with everything that keeps the trail from being ready */
async function verifyNow(session: Session, inputs: ReadinessInputs): Promise<ReadinessOutputs> {
  // Other processes and Neon's API may have changed the trail since the catalog was cached.
  const { outputs, findings } = check(session, await session.freshCatalog(), inputs);
  failIfNotReady(findings, inputs);
  return outputs;
}

function failIfNotReady(findings: readonly Finding[], { database }: ReadinessInputs): void {
  failOnBlocking(findings, `The audit trail of database "${database}" is not ready:`);
}

/** What the trail is like according to the catalog. */
export function check(
  session: Pick<Session, "target">,
  catalog: Catalog,
  inputs: ReadinessInputs,
): { outputs: ReadinessOutputs; findings: Finding[] } {
  const tables = select(catalog, inputs);
  const findings = readinessFindings(
    withoutForeignSlots(catalog, session.target.database.name),
    inputs,
    tables,
  );
  const { selected, published, full, keyIdentity } = coverage(catalog, inputs, tables);
  const outputs: ReadinessOutputs = {
    ...recorded(session.target),
    ready: !findings.some(({ severity }) => severity === "blocking"),
    walLevel: catalog.server.walLevel,
    serverVersion: formatVersion(catalog.server.version),
    selected,
    published,
    full,
    keyIdentity,
    slotState: slotState(catalog, inputs.slot, session.target.database.name),
    newTables: newTablesMode(catalog, inputs.publication, inputs, inputs.trackNewTables),
    degraded: describeFindings(findings, "degraded").slice(0, NAMED),
  };
  return { outputs, findings };
}

/** What only limits the trail is no drift: it is among the outputs. */
function driftOf(findings: readonly Finding[]): Drift {
  const problems = describeFindings(findings, "blocking");
  if (problems.length === 0) return {};
  const rest = problems.length - DRIFT_NAMED;
  const more = rest > 0 ? [`And ${counted(rest, "more problem")}.`] : [];
  return { notReady: [...problems.slice(0, DRIFT_NAMED), ...more].join(" ") };
}
