import * as z from "zod";
import "./fields/meta";

/** How the contract's schemas are read by those who derive something from them. */

/** The fields of an object schema, refined or not. */
export function fieldsOf(schema: z.ZodObject): Readonly<Record<string, z.ZodType>> {
  return schema.shape;
}

/** What a schema wraps, one layer down; `undefined` for a schema that wraps nothing. */
function wrapped(schema: z.ZodType): z.ZodType | undefined {
  const wraps =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodReadonly;
  return wraps ? (schema.unwrap() as z.ZodType) : undefined;
}

/** The schema of the value itself, without what says that it is optional, has a default or is read-only. */
export function coreOf(schema: z.ZodType): z.ZodType {
  const inner = wrapped(schema);
  return inner === undefined ? schema : coreOf(inner);
}

/** What a field says about itself: where its outermost layer says nothing, what the layer below says. */
export function docOf(schema: z.ZodType): z.GlobalMeta {
  const inner = wrapped(schema);
  return schema.meta() ?? (inner === undefined ? {} : docOf(inner));
}

/** Whether whoever gives values may leave the field out. */
export function isOptional(schema: z.ZodType): boolean {
  return schema.safeParse(undefined).success;
}

/** The value that stands in for one that is left out; `undefined` where nothing does. */
export function defaultOf(schema: z.ZodType): unknown {
  if (schema instanceof z.ZodDefault) return schema.def.defaultValue;
  const inner = wrapped(schema);
  return inner === undefined ? undefined : defaultOf(inner);
}

/**
 * Values with every default filled in, at all depths, also where they do not pass the schema's checks: in a preview
 * some are not known yet, and the others must look as they will once those are known. Otherwise a default would show
 * up as a difference.
 */
export function withDefaults(
  schema: z.ZodObject,
  values: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const filled: Record<string, unknown> = { ...values };
  for (const [name, field] of Object.entries(fieldsOf(schema))) {
    const value = values[name] === undefined ? defaultOf(field) : values[name];
    if (value === undefined) continue;
    const core = coreOf(field);
    const nested = core instanceof z.ZodObject && typeof value === "object" && value !== null;
    filled[name] = nested ? withDefaults(core, { ...value }) : value;
  }
  return filled;
}
