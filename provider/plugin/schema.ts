import * as z from "zod";
import { secretsOf, type Definition } from "../contract/definition";
import { providerInputs } from "../contract/provider";
import { coreOf, defaultOf, docOf, fieldsOf, isOptional } from "../contract/schema";
import { trailDefinition } from "../contract/trail";
import { VERSION } from "./version";

/** JSON of Pulumi's package schema. */
type Json = Record<string, unknown>;

const PACKAGE = "neon-bemi";

const token = (name: string): string => `${PACKAGE}:index:${name}`;

/**
 * The Pulumi package schema, from which the SDKs of other languages and the checks of YAML programs are made. All of it
 * follows from the contract; only constraints stay behind, as Check says those better.
 */
export function packageSchema(definitions: readonly Definition[]): Json {
  const types: Json = {};
  const trail = trailDefinition;
  // The environment variables that stand in for them are no defaults in the sense of the schema: a generated SDK would
  // write their values into the state.
  const configuration = properties(providerInputs, "Provider", types);
  const resources = Object.fromEntries(
    definitions.map((definition) => [token(definition.type), resourceSchema(definition, types)]),
  );
  return {
    name: PACKAGE,
    displayName: "Neon + Bemi",
    version: VERSION,
    description: "An automatic audit trail with Bemi for any Neon Postgres database",
    keywords: ["neon", "postgres", "bemi", "audit-trail", "category/database"],
    license: "Apache-2.0",
    config: { variables: configuration },
    provider: { description: "An account of Neon's.", inputProperties: configuration },
    resources: {
      ...resources,
      [token(trail.type)]: {
        isComponent: true,
        description: trail.description,
        inputProperties: properties(trail.inputs, trail.type, types),
        requiredInputs: required(trail.inputs),
        properties: properties(trail.outputs, trail.type, types),
        required: required(trail.outputs),
      },
    },
    types,
    language: {
      nodejs: { packageName: "pulumi-neon-bemi", respectSchemaVersion: true },
      python: { packageName: "pulumi_neon_bemi", respectSchemaVersion: true, pyproject: { enabled: true } },
    },
  };
}

function resourceSchema({ type, description, inputs, outputs }: Definition, types: Json): Json {
  const given = z.object(
    Object.fromEntries(
      Object.entries(fieldsOf(inputs)).filter(([, field]) => docOf(field).filledInBy !== "resource"),
    ),
  );
  const inputProperties = properties(given, type, types);
  const secrets = secretsOf(outputs);
  const computed = properties(outputs, type, types);
  for (const name of secrets) computed[name] = { ...computed[name], secret: true };
  return {
    description,
    inputProperties,
    requiredInputs: required(given),
    properties: { ...withoutDefaults(inputProperties), ...computed },
    required: [...new Set([...required(given), ...required(outputs)])],
  };
}

function properties(schema: z.ZodObject, owner: string, types: Json): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(fieldsOf(schema)).map(([name, field]) => {
      const doc = docOf(field);
      const value = defaultOf(field);
      return [
        name,
        {
          ...typeOf(field, doc.typeName ?? owner + name.charAt(0).toUpperCase() + name.slice(1), types),
          ...(doc.description === undefined ? {} : { description: describe(doc) }),
          ...(isPrimitive(value) ? { default: value } : {}),
          ...(doc.secret === true ? { secret: true } : {}),
          ...(doc.plain === true ? { plain: true } : {}),
        },
      ];
    }),
  );
}

function describe({ description = "", whenOmitted }: z.GlobalMeta): string {
  return whenOmitted === undefined ? description : `${description} Default: ${whenOmitted}.`;
}

function required(schema: z.ZodObject): string[] {
  return Object.entries(fieldsOf(schema)).flatMap(([name, field]) => (isOptional(field) ? [] : [name]));
}

/** Pulumi's type of a field; objects become types of their own. */
function typeOf(field: z.ZodType, name: string, types: Json): Json {
  const core = coreOf(field);
  if (core instanceof z.ZodArray)
    return { type: "array", items: typeOf(core.element as z.ZodType, name, types) };
  if (core instanceof z.ZodRecord)
    return { type: "object", additionalProperties: typeOf(core.valueType as z.ZodType, name, types) };
  if (core instanceof z.ZodObject) {
    const type = { type: "object", properties: properties(core, name, types), required: required(core) };
    const known = types[token(name)];
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(type))
      throw new Error(`the package schema has two types of the name ${name}`);
    types[token(name)] = type;
    return { $ref: `#/types/${token(name)}` };
  }
  if (core instanceof z.ZodUnion) {
    const [first, ...others] = core.options.map((option) => typeOf(option as z.ZodType, name, types));
    const distinct = others.filter((each) => JSON.stringify(each) !== JSON.stringify(first));
    return distinct.length === 0 ? { ...first } : { oneOf: [first, ...distinct] };
  }
  if (core instanceof z.ZodNumber)
    return { type: core.format?.includes("int") === true ? "integer" : "number" };
  if (core instanceof z.ZodBoolean) return { type: "boolean" };
  if (core instanceof z.ZodUnknown) return { $ref: "pulumi.json#/Any" };
  if (core instanceof z.ZodLiteral) return { type: typeof core.value };
  if (core instanceof z.ZodString || core instanceof z.ZodEnum) return { type: "string" };
  throw new Error(`the package schema has no type for ${name}`);
}

/** Defaults belong to inputs; an output simply has a value. */
function withoutDefaults(inputs: Record<string, Json>): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, property]) => {
      const { default: value, ...rest } = property;
      return [name, value === undefined ? property : rest];
    }),
  );
}

function isPrimitive(value: unknown): boolean {
  return ["string", "boolean", "number"].includes(typeof value);
}
