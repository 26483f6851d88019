import * as z from "zod";
import { definitions } from "../../provider/contract/kinds";
import { trailDefinition } from "../../provider/contract/trail";
import { packageSchema } from "../../provider/plugin/schema";
import { shelfDefinition } from "./fakeKind";

interface Property {
  readonly $ref?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly secret?: boolean;
  readonly type?: string;
}

interface ObjectType {
  readonly properties: Readonly<Record<string, Property>>;
  readonly required: readonly string[];
}

interface Resource extends ObjectType {
  readonly inputProperties: Readonly<Record<string, Property>>;
  readonly requiredInputs: readonly string[];
  readonly isComponent?: boolean;
}

/** The parts of a package schema that the tests look at. */
interface Schema {
  readonly config: { readonly variables: Readonly<Record<string, Property>> };
  readonly provider: { readonly inputProperties: Readonly<Record<string, Property>> };
  readonly resources: Readonly<Record<string, Resource>>;
  readonly types: Readonly<Record<string, ObjectType>>;
}

const schema = packageSchema(definitions) as unknown as Schema;
const shelf = packageSchema([shelfDefinition]) as unknown as Schema;

/** Every value of a key, at any depth. */
function valuesOf(key: string, within: unknown): unknown[] {
  if (typeof within !== "object" || within === null) return [];
  return Object.entries(within).flatMap(([name, value]: [string, unknown]) =>
    name === key && typeof value !== "object" ? [value] : valuesOf(key, value),
  );
}

test("has every kind and the component, under their type tokens", () => {
  const types = [...definitions.map(({ type }) => type), trailDefinition.type];
  expect(Object.keys(schema.resources)).toEqual(types.map((type) => `neon-bemi:index:${type}`));
  expect(schema.resources["neon-bemi:index:BemiAuditTrail"]?.isComponent).toBe(true);
  for (const token of Object.keys(schema.types)) expect(token).toMatch(/^neon-bemi:index:[A-Z]\w+$/);
});

test("every reference leads to a type", () => {
  const references = valuesOf("$ref", schema);
  expect(references.length).toBeGreaterThan(0);
  for (const reference of references)
    expect([
      // Any JSON value; a type of Pulumi's own.
      "pulumi.json#/Any",
      ...Object.keys(schema.types).map((token) => `#/types/${token}`),
    ]).toContain(reference);
});

test("what is required is a property", () => {
  for (const { properties, required, inputProperties, requiredInputs } of Object.values(schema.resources)) {
    expect(Object.keys(properties)).toEqual(expect.arrayContaining([...required]));
    expect(Object.keys(inputProperties)).toEqual(expect.arrayContaining([...requiredInputs]));
  }
  for (const { properties, required } of Object.values(schema.types))
    expect(Object.keys(properties)).toEqual(expect.arrayContaining([...required]));
});

test("defaults are primitive, which is all that Pulumi allows, and only inputs have one", () => {
  const all = Object.values(schema.resources);
  for (const { inputProperties } of all)
    for (const { default: value } of Object.values(inputProperties))
      expect(["undefined", "string", "boolean", "number"]).toContain(typeof value);
  expect(
    all.flatMap(({ properties }) => Object.values(properties)).filter((each) => "default" in each),
  ).toEqual([]);
});

test("every property says what it means", () => {
  const silent = Object.entries(schema.resources).flatMap(([token, { inputProperties, properties }]) =>
    Object.entries({ ...properties, ...inputProperties }).flatMap(([name, { description }]) =>
      description === undefined ? [`${token} ${name}`] : [],
    ),
  );
  expect(silent).toEqual([]);
});

test("what the resource fills in is no input", () => {
  for (const { inputProperties, properties } of Object.values(schema.resources))
    expect({ ...inputProperties, ...properties }).not.toHaveProperty("managedBy");
});

test("the provider is configured by its account, and the key is secret", () => {
  const { variables } = schema.config;
  expect(Object.keys(variables)).toEqual(["apiKey", "apiUrl", "sslRootCert"]);
  expect(schema.provider.inputProperties).toEqual(variables);
  expect(Object.values(variables).map(({ secret }) => secret)).toEqual([true, undefined, undefined]);
});

test("no value of the environment is written into a state", () => {
  expect(JSON.stringify(schema)).not.toContain("defaultInfo");
});

test("passwords and the connection are secret outputs", () => {
  const secrets = Object.entries(schema.resources).flatMap(([token, { properties }]) =>
    Object.entries(properties).flatMap(([name, { secret }]) => (secret === true ? [`${token} ${name}`] : [])),
  );
  expect(secrets).toEqual([
    "neon-bemi:index:ReplicationRole password",
    "neon-bemi:index:ApiRole password",
    "neon-bemi:index:BemiAuditTrail connection",
  ]);
});

test("whole numbers are integers, and others are numbers", () => {
  const properties = shelf.resources["neon-bemi:index:Shelf"]?.properties;
  expect([properties?.["count"]?.type, properties?.["weight"]?.type]).toEqual(["integer", "number"]);
});

test("an object becomes a type of its own, with the name that its field gives", () => {
  expect(shelf.types["neon-bemi:index:ShelfPlace"]).toEqual({
    type: "object",
    properties: { room: { type: "string", description: "Room.", default: "hall" } },
    required: [],
  });
});

/** The schema's type of one input. */
function typeOf(field: z.ZodType): unknown {
  const definition = { ...shelfDefinition, inputs: z.strictObject({ field }), replaceOn: [] };
  const { resources } = packageSchema([definition]) as unknown as Schema;
  return resources["neon-bemi:index:Shelf"]?.inputProperties["field"];
}

test("literals, choices, records and alternatives have a type", () => {
  expect(typeOf(z.literal(true))).toEqual({ type: "boolean" });
  expect(typeOf(z.enum(["a", "b"]))).toEqual({ type: "string" });
  expect(typeOf(z.record(z.string(), z.int()))).toEqual({
    type: "object",
    additionalProperties: { type: "integer" },
  });
  expect(typeOf(z.union([z.literal("a"), z.string()]))).toEqual({ type: "string" });
  expect(typeOf(z.union([z.string(), z.int()]))).toEqual({
    oneOf: [{ type: "string" }, { type: "integer" }],
  });
  expect(() => typeOf(z.date())).toThrow("the package schema has no type for ShelfField");
});

test("two types of one name are refused", () => {
  const place = (shape: z.ZodRawShape): z.ZodType => z.strictObject(shape).meta({ typeName: "Place" });
  const inputs = z.strictObject({ a: place({ room: z.string() }), b: place({ floor: z.int() }) });
  expect(() => packageSchema([{ ...shelfDefinition, inputs, replaceOn: [] }])).toThrow(
    "the package schema has two types of the name Place",
  );
});
