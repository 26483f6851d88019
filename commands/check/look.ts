import type { Catalog } from "../../provider/contract/catalog";
import { isDrift } from "../../provider/contract/drift";
import { UserError } from "../../provider/contract/errors";
import { readinessInputs, type ReadinessInputs } from "../../provider/contract/kinds/readiness";
import type { Run } from "../../provider/contract/kind";
import { describeMistakes, mistakesIn } from "../../provider/contract/mistakes";
import type { RecordedTarget } from "../../provider/contract/target";
import { publishingBreaksWrites } from "../../provider/postgres/catalog/publishability";
import { formatTableName } from "../../provider/postgres/catalog/tableNames";
import { claimedIdentity } from "../../provider/postgres/identity/claim";
import { check } from "../../provider/postgres/readiness/readiness";
import { select } from "../../provider/postgres/selection/selection";
import type { CheckFacts, ReadinessFinding } from "../../report/check/facts";
import { kindOf } from "../account";
import type { DeclaredResource, DeclaredTrail } from "../declared";
import { readSlot } from "./slotQuery";

/**
 * Looks at a trail, read-only: reads every resource as a refresh does, verifies what Readiness verifies, and reads the
 * slot. Logs in as the owner once, and as Bemi's role at most once.
 *
 * @throws UserError if the trail has no Readiness, or could not be looked at
 */
export async function lookAt(trail: DeclaredTrail, run: Run): Promise<CheckFacts> {
  const { inputs, recorded } = readinessOf(trail);
  const drift: CheckFacts["drift"][number][] = [];
  let hasPassword = false;
  for (const resource of trail.resources) {
    const found = await driftOf(resource, run);
    drift.push(...found);
    hasPassword ||= typeof resource.outputs["password"] === "string";
  }
  const names = new Set(drift.map(({ name }) => name));
  return run.sql(
    inputs,
    async (session) => {
      const catalog = await session.catalog();
      // Arguments of the command do not say which tables keep their key, but the trail's record does.
      const identity = inputs.identity ?? claimedIdentity(catalog, inputs.publication);
      const asked =
        identity === undefined ? inputs : { ...inputs, identity: { default: "full" as const, ...identity } };
      const { outputs: readiness, findings } = check(session, catalog, asked);
      const role = catalog.roles.find(({ name }) => name === inputs.role);
      const tried = hasPassword && role?.canLogin === true && role.mayConnect;
      return {
        trail: {
          name: trail.name,
          projectId: inputs.projectId,
          branch: session.target.branchName,
          database: inputs.database,
          role: inputs.role,
          publication: inputs.publication,
          slot: inputs.slot,
        },
        readiness,
        findings: withTables(findings, catalog, inputs),
        slot: await readSlot(session, inputs.slot),
        login: tried ? (names.has("passwordChanged") ? "refused" : "accepted") : undefined,
        drift,
      };
    },
    recorded,
  );
}

function withTables(
  findings: ReturnType<typeof check>["findings"],
  catalog: Catalog,
  inputs: ReadinessInputs,
): ReadinessFinding[] {
  const publication = catalog.publications.find(({ name }) => name === inputs.publication);
  const tables = new Map(select(catalog, inputs).tables.map((table) => [formatTableName(table), table]));
  return findings.map((finding) => {
    const table = tables.get(finding.subject);
    const listed = table?.listedIn.some((entry) => entry.publication === publication?.name) === true;
    return {
      ...finding,
      ofTable: table !== undefined,
      writesFail: table !== undefined && listed && publishingBreaksWrites(table),
    };
  });
}

/** The inputs of the trail's Readiness, which name everything that a check needs, and the ids that it recorded. */
function readinessOf({ name, resources }: DeclaredTrail): {
  readonly inputs: ReadinessInputs;
  readonly recorded: Partial<RecordedTarget>;
} {
  const readiness = resources.find(({ type }) => type === "Readiness");
  if (readiness === undefined)
    throw new UserError(
      `${name} has no Readiness in the stack's state, so a check does not know what it consists of. Run pulumi up, or give the trail by --project-id and --database.`,
    );
  const { value, mistakes } = mistakesIn(readinessInputs, readiness.inputs);
  if (mistakes.length > 0) throw new UserError(describeMistakes(mistakes));
  return { inputs: readinessInputs.parse(value), recorded: readiness.outputs };
}

async function driftOf(
  { type, name, inputs, outputs }: DeclaredResource,
  run: Run,
): Promise<CheckFacts["drift"]> {
  // Its own problems are read as findings, one by one.
  if (type === "Readiness") return [];
  const kind = kindOf(type);
  if (kind === undefined) return [];
  const observed = await kind.read({ ...inputs, ...outputs }, run);
  // What is gone as a whole, such as a publication, is among the findings of Readiness.
  return Object.entries(observed?.drift ?? {}).flatMap(([drift, text]) =>
    isDrift(drift) ? [{ resource: name, name: drift, text }] : [],
  );
}
