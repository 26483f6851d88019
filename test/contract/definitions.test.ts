import * as z from "zod";
import { secretsOf, type Definition } from "../../provider/contract/definition";
import { DRIFT } from "../../provider/contract/drift";
import { definitions } from "../../provider/contract/kinds";
import { coreOf, defaultOf, docOf, fieldsOf, isOptional } from "../../provider/contract/schema";
import { trailDefinition } from "../../provider/contract/trail";
import * as neon from "../../provider/neon";
import * as postgres from "../../provider/postgres";

const handlers = [
  neon.branch,
  neon.logicalReplication,
  neon.apiRole,
  neon.ipAllow,
  postgres.replicationRole,
  postgres.readAccess,
  postgres.replicaIdentity,
  postgres.publication,
  postgres.replicationSlot,
  postgres.readiness,
];

const schemas = [...definitions, trailDefinition].flatMap(({ type, inputs, outputs }) => [
  ...fieldsWithin(`${type} inputs`, inputs),
  ...fieldsWithin(`${type} outputs`, outputs),
]);

/** All fields of an object, those of the objects in it included, by a name to show. */
function fieldsWithin(at: string, schema: z.ZodObject): [string, z.ZodType][] {
  return Object.entries(fieldsOf(schema)).flatMap(([name, field]): [string, z.ZodType][] => {
    const core = coreOf(field);
    const within = core instanceof z.ZodObject ? fieldsWithin(`${at}.${name}`, core) : [];
    return [[`${at}.${name}`, field], ...within];
  });
}

test("there is one definition for every handler, and the handler follows it", () => {
  // By identity: a handler has no definition of its own.
  const followed = new Set<Definition>(handlers.map(({ definition }) => definition));
  expect(definitions.filter((definition) => !followed.has(definition)).map(({ type }) => type)).toEqual([]);
  expect(handlers).toHaveLength(definitions.length);
});

test("the names of drift are those of no input or output", () => {
  const properties = definitions.flatMap(({ inputs, outputs }) => [
    ...Object.keys(inputs.shape),
    ...Object.keys(outputs.shape),
  ]);
  expect(Object.keys(DRIFT).filter((name) => properties.includes(name))).toEqual([]);
});

// Otherwise an update would leave the resource with the id of another object, and its state would be refused for good.
test("an id consists of inputs whose change replaces the resource", () => {
  for (const handler of handlers) {
    const inputs = (prefix: string): never => {
      const names = Object.keys(handler.definition.inputs.shape);
      const replacing: readonly string[] = handler.definition.replaceOn;
      return Object.fromEntries(
        names.map((name) => [name, replacing.includes(name) ? name : `${prefix} ${name}`]),
      ) as never;
    };
    expect(handler.id(inputs("before"))).toBe(handler.id(inputs("after")));
  }
});

test("every field says what it means", () => {
  expect(schemas.filter(([, field]) => docOf(field).description === undefined)).toEqual([]);
});

test("every optional input says what leaving it out means, or has a default", () => {
  const silent = schemas.filter(
    ([name, field]) =>
      name.includes(" inputs") &&
      isOptional(field) &&
      defaultOf(field) === undefined &&
      docOf(field).whenOmitted === undefined,
  );
  expect(silent).toEqual([]);
});

test("only the roles' password is secret, and the connection that contains it", () => {
  const secrets = [...definitions, trailDefinition].flatMap(({ type, outputs }) =>
    secretsOf(outputs).map((name) => `${type}.${name}`),
  );
  expect(secrets).toEqual(["ReplicationRole.password", "ApiRole.password", "BemiAuditTrail.connection"]);
});

test("reads back inputs under names that no output has", () => {
  for (const { inputs, outputs, readBack } of definitions) {
    for (const name of readBack) {
      expect(Object.keys(inputs.shape)).toContain(name);
      expect(Object.keys(outputs.shape)).not.toContain(name);
    }
  }
});
