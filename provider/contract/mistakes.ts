import * as z from "zod";
import { coreOf, fieldsOf, withDefaults } from "./schema";
import { closest } from "./wording";

/** One thing that is wrong with given values, in words a user can act on. */
export interface Mistake {
  /** Path of the field in the user's argument names, e.g. `role.name` or `tables[0]`; empty where it is the whole. */
  readonly path: string;
  /** The path, step by step: names and list indexes. */
  readonly steps: readonly PropertyKey[];
  /** Completes a sentence that begins with the path. */
  readonly message: string;
}

/** Values after their check: complete with defaults, and with everything that is wrong with them. */
export interface Checked<Value> {
  readonly value: Value;
  readonly mistakes: readonly Mistake[];
}

/**
 * Checks values against a schema of the contract, all at once. This is the one way in which arguments are checked: by
 * the component, by each resource and by the stack's configuration.
 *
 * @param isUnknown - says of a value that it is not known yet: what is wrong with such a value is not known either
 */
export function mistakesIn(
  schema: z.ZodObject,
  values: Readonly<Record<string, unknown>>,
  isUnknown: (value: unknown) => boolean = () => false,
): Checked<Record<string, unknown>> {
  const result = schema.safeParse(values);
  if (result.success) return { value: result.data, mistakes: [] };
  const mistakes = result.error.issues.flatMap((issue) => {
    if (valuesAlong(values, issue.path).some(isUnknown)) return [];
    // A name that is no argument is wrong, whether or not the values are known.
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => unknownKey([...issue.path, key], schema));
    const checked = checkedFields(issue).map((path) => valuesAlong(values, path).at(-1));
    if (checked.some((value) => holdsUnknown(value, isUnknown))) return [];
    return [{ path: pathText(issue.path), steps: issue.path, message: issue.message }];
  });
  return { value: withDefaults(schema, values), mistakes };
}

/** The mistakes as one text, a line each. */
export function describeMistakes(mistakes: readonly Mistake[]): string {
  return mistakes.map(({ path, message }) => (path === "" ? message : `${path} ${message}`)).join("\n");
}

function unknownKey(steps: readonly PropertyKey[], schema: z.ZodObject): Mistake {
  const group = fieldAt(schema, steps.slice(0, -1));
  const known = group instanceof z.ZodObject ? Object.keys(fieldsOf(group)) : [];
  const near = closest(String(steps.at(-1)), known);
  const hint = near === undefined ? "" : `. Did you mean ${pathText([...steps.slice(0, -1), near])}?`;
  return { path: pathText(steps), steps, message: `is not an argument${hint}` };
}

/** The schema of the value at a path, without what says that it is optional; `undefined` for a path to nowhere. */
export function fieldAt(schema: z.ZodObject, steps: readonly PropertyKey[]): z.ZodType | undefined {
  let field: z.ZodType | undefined = schema;
  for (const step of steps) {
    if (field instanceof z.ZodObject) field = fieldsOf(field)[String(step)];
    else if (field instanceof z.ZodArray) field = field.element as z.ZodType;
    else if (field instanceof z.ZodRecord) field = field.valueType as z.ZodType;
    else return undefined;
    if (field !== undefined) field = coreOf(field);
  }
  return field;
}

/** Paths of the values that an issue is about: its own path, or the fields that a check of several together names. */
function checkedFields({ path, ...issue }: z.core.$ZodIssue): readonly (readonly PropertyKey[])[] {
  const together: unknown = issue.code === "custom" ? issue.params?.["together"] : undefined;
  return Array.isArray(together) ? together.map((field) => [...path, String(field)]) : [path];
}

/** In Pulumi's notation: `role.name`, `tables[0]`, `identity.tables["public.orders"]`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((step, index) => {
      if (typeof step === "number") return `[${step}]`;
      const name = String(step);
      // Within an object of a user's own names, a name may have dots and brackets in it.
      if (index > 0 && !/^[\w-]+$/.test(name)) return `[${JSON.stringify(name)}]`;
      return `${index === 0 ? "" : "."}${name}`;
    })
    .join("");
}

/** The whole, and every value on the way to the end of a path; `undefined` where it leads nowhere. */
function valuesAlong(whole: unknown, steps: readonly PropertyKey[]): unknown[] {
  const values = [whole];
  for (const step of steps) {
    const value = values.at(-1);
    const leadsOn = typeof value === "object" && value !== null;
    values.push(leadsOn ? (value as Record<PropertyKey, unknown>)[step] : undefined);
  }
  return values;
}

function holdsUnknown(value: unknown, isUnknown: (value: unknown) => boolean): boolean {
  if (isUnknown(value)) return true;
  return (
    typeof value === "object" &&
    value !== null &&
    Object.values(value).some((each) => holdsUnknown(each, isUnknown))
  );
}
