import * as z from "zod";
import { definitions } from "../../provider/contract/kinds";
import { logicalReplicationInputs } from "../../provider/contract/kinds/logicalReplication";
import { coreOf, defaultOf, fieldsOf } from "../../provider/contract/schema";
import { trailInputs } from "../../provider/contract/trail";

/** Arguments that no resource gets: Bemi's own field, and the flag that says whether ReadAccess is declared at all. */
const OF_THE_COMPONENT = ["environment", "readAccess", "migrations.command", "migrations.triggers"];

/** Arguments, with the fields of an object in place of the object. */
const withoutObjects = (inputs: z.ZodObject): [string, z.ZodType][] =>
  Object.entries(fieldsOf(inputs)).flatMap(([name, field]): [string, z.ZodType][] => {
    const core = coreOf(field);
    if (!(core instanceof z.ZodObject)) return [[name, field]];
    return Object.entries(fieldsOf(core)).map(([key, inner]) => [`${name}.${key}`, inner]);
  });

/** The component's arguments. */
const args = withoutObjects(trailInputs);

/** Every field of every kind, those of the plan that is checked beforehand included. */
const kindFields = [
  ...definitions.map(({ inputs }) => inputs),
  logicalReplicationInputs.shape.preflight.unwrap(),
].flatMap((inputs) => withoutObjects(inputs).map(([, field]) => field));

test.each(args.filter(([name]) => !OF_THE_COMPONENT.includes(name)))(
  "%s is the field of a kind, with the same check and the same default",
  (_name, field) => {
    const same = kindFields.filter((candidate) => coreOf(candidate) === coreOf(field));
    expect(same).not.toEqual([]);
    expect([...new Set(same.map(defaultOf))]).toEqual([defaultOf(field)]);
  },
);

test("has no argument of its own but those of the component", () => {
  const own = args.filter(([, field]) => !kindFields.some((one) => coreOf(one) === coreOf(field)));
  expect(own.map(([name]) => name)).toEqual(OF_THE_COMPONENT);
});

test("takes excludeTables: [] like no excludeTables, as every kind does", () => {
  const target = { projectId: "p", database: "neondb", schemas: ["public"], excludeTables: [] };
  expect(trailInputs.safeParse(target).success).toBe(true);
  const withSelection = definitions.filter(({ inputs }) => "excludeTables" in inputs.shape);
  expect(withSelection.map(({ type }) => type)).toEqual([
    "ReadAccess",
    "ReplicaIdentity",
    "Publication",
    "Readiness",
  ]);
  for (const { inputs } of withSelection) {
    const parsed = inputs.safeParse({ ...target, role: "bemi", managedBy: "p/s/n" });
    const others = parsed.error?.issues.filter(({ code }) => code !== "unrecognized_keys") ?? [];
    expect(others).toEqual([]);
  }
});
