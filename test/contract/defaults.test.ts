import { publicationDefinition } from "../../provider/contract/kinds/publication";
import { logicalReplicationInputs } from "../../provider/contract/kinds/logicalReplication";
import { withDefaults } from "../../provider/contract/schema";
import { adapt } from "../../provider/plugin/adapter";
import type { Run } from "../../provider/contract/kind";
import { publication } from "../../provider/postgres";

/** What stands for a value in a preview that is not known yet. */
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const given = { projectId: "p", database: "neondb", schemas: ["public"], managedBy: "p/s/n" };
const filled = publicationDefinition.inputs.parse(given);

test("the check fills defaults in and keeps what is given", () => {
  expect(filled).toMatchObject({ ...given, name: "bemi", trackNewTables: true, adopt: false });
  const chosen = { ...given, adopt: true, name: "cdc" };
  expect(publicationDefinition.inputs.parse(chosen)).toEqual({ ...filled, ...chosen });
});

test("defaults are the same where another input is unknown, so that a preview shows no change", () => {
  const { check, diff } = adapt(publication, { run: {} as Run, configure: () => undefined });
  const news = { ...given, schemas: UNKNOWN };
  const { inputs, failures } = check({ ...filled }, news);
  expect(failures).toEqual([]);
  expect(inputs).toEqual({ ...filled, schemas: UNKNOWN });
  expect(diff("id", filled, inputs).replaces).toEqual([]);
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
