import * as z from "zod";
import { defaultOf } from "../schema";

/*
 * The kinds of values that fields are made of. The messages complete a sentence that begins with the field's name, and
 * stand where zod would otherwise speak of "input" and "string".
 */

/** @param hint - what a required text is and an example of it, for the message where it is missing */
export function text(hint?: string): z.ZodString {
  const missing = hint === undefined ? "is required" : `is required: ${hint}`;
  return z.string({ error: ({ input }) => (input === undefined ? missing : "must be a text") });
}

/** A text with at least one character. */
export function filledText(hint?: string): z.ZodString {
  return text(hint).min(1, "must not be empty");
}

/**
 * Whether the server can have an object of this name. A longer one it would cut, and the module would then look for an
 * object that does not exist. Text with a NUL or with half of a character cannot be sent at all.
 */
export function fitsName(name: string): boolean {
  return Buffer.byteLength(name) <= 63 && !/[\0\p{Surrogate}]/u.test(name);
}

/** What is said of a text that {@link fitsName} refuses. */
export const NAME_RULE = "must be at most 63 bytes, without a NUL character";

/** The name of an object in the database. */
export function objectName(hint?: string): z.ZodString {
  return filledText(hint).refine(fitsName, NAME_RULE);
}

/** A list whose items are checked one by one; it may be empty. */
export function list<Item extends z.ZodType>(item: Item): z.ZodArray<Item> {
  return z.array(item, "must be a list of texts");
}

/** A list with at least one item. */
export function filledList<Item extends z.ZodType>(item: Item): z.ZodArray<Item> {
  return list(item).min(1, "must not be an empty list");
}

/** A value that is `true` or `false`. */
export function flag(): z.ZodBoolean {
  return z.boolean("must be true or false");
}

/** One of a few texts. */
export function choice<const Value extends string>(
  values: readonly Value[],
): z.ZodEnum<{ [Name in Value]: Name }> {
  const quoted = values.map((value) => `"${value}"`);
  return z.enum(values, `must be ${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1) ?? ""}`);
}

/** An object of fields, each of which may be left out. */
export function group<Shape extends Readonly<Record<string, z.ZodType>>>(
  shape: Shape,
): z.ZodObject<Shape, z.core.$strict> {
  const defaults = Object.entries(shape).map(([name, field]) => [name, defaultOf(field)]);
  const example = JSON.stringify(Object.fromEntries(defaults));
  return z.strictObject(shape, {
    error: ({ code }) => (code === "invalid_type" ? `must be an object such as ${example}` : undefined),
  });
}
