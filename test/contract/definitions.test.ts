import { z } from "zod";
import { secretsOf } from "../../provider/contract/definition";
import { definitions } from "../../provider/contract/kinds";
import { coreOf, defaultOf, docOf, fieldsOf, isOptional } from "../../provider/contract/schema";
import { trailDefinition } from "../../provider/contract/trail";
import * as neon from "../../provider/neon";
import * as postgres from "../../provider/postgres";

const handlers = [
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
  expect(handlers.map(({ name }) => name).sort()).toEqual(definitions.map(({ name }) => name).sort());
  for (const { name, inputs, replaceOn } of definitions) {
    const handler = handlers.find((candidate) => candidate.name === name);
    expect([name, handler?.replaceOn]).toEqual([name, replaceOn]);
    expect(Object.keys((handler?.inputs as unknown as z.ZodObject).shape)).toEqual(Object.keys(inputs.shape));
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
