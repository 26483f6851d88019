import { publicationDefinition } from "../../provider/contract/kinds/publication";
import { logicalReplicationInputs } from "../../provider/contract/kinds/logicalReplication";
import { withDefaults } from "../../provider/contract/schema";
import { Resource } from "../../provider/plugin/resource";
import { UNKNOWN } from "../../provider/plugin/values";
import type { AnyKind, Run } from "../../provider/contract/kind";

const URN = "urn:pulumi:s::p::neon-bemi:index:Publication::n";

/** The kind without what it does: checks and differences follow from the definition alone. */
const kind = { definition: publicationDefinition } as unknown as AnyKind;

const given = { projectId: "p", database: "neondb", schemas: ["public"], managedBy: "p/s/n" };
const filled = publicationDefinition.inputs.parse(given);

test("the check fills defaults in and keeps what is given", () => {
  expect(filled).toMatchObject({ ...given, name: "bemi", trackNewTables: true, adopt: false });
  const chosen = { ...given, adopt: true, name: "cdc" };
  expect(publicationDefinition.inputs.parse(chosen)).toEqual({ ...filled, ...chosen });
});

test("defaults are the same where another input is unknown, so that a preview shows no change", () => {
  const resource = new Resource(kind, {} as Run);
  const { projectId, database } = given;
  const { inputs, mistakes } = resource.check(URN, { projectId, database, schemas: UNKNOWN });
  expect(mistakes).toEqual([]);
  expect(inputs).toEqual({ ...filled, schemas: UNKNOWN });
  const { changes, replaces } = resource.diff(filled, filled, inputs);
  expect([...changes.keys()]).toEqual(["schemas"]);
  expect(replaces).toEqual([]);
});

test("defaults are filled in at all depths, and never invent an object", () => {
  const target = { projectId: "p" };
  expect(withDefaults(logicalReplicationInputs, target)).toEqual({ ...target, mode: "enable" });
  const plan = { schemas: UNKNOWN, roleManagedBy: "p/s/r", publicationManagedBy: "p/s/p" };
  expect(withDefaults(logicalReplicationInputs, { ...target, preflight: plan })).toEqual({
    ...target,
    mode: "enable",
    preflight: {
      ...plan,
      role: "bemi",
      roleCreatedBy: "sql",
      publication: "bemi",
      slot: "bemi",
      adopt: false,
    },
  });
});
