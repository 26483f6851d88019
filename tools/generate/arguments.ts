import * as z from "zod";
import type { Definition } from "../../provider/contract/definition";
import { definitions } from "../../provider/contract/kinds";
import { coreOf, docOf, fieldsOf, isOptional } from "../../provider/contract/schema";
import { defaultText, enumeration, meaning } from "./text";

/** One argument as users see it, in an editor as in the reference. */
export interface Argument {
  readonly name: string;
  readonly field: z.ZodType;
  readonly required: boolean;
  /** What it means, and what a change of it replaces; in Markdown. */
  readonly meaning: string;
  /** What it means to leave the argument out, in Markdown; `undefined` for a required one. */
  readonly default: string | undefined;
}

/** The arguments of a resource, without what its class fills in. */
export function argumentsOf({ inputs, replaceOn }: Definition): Argument[] {
  return argumentsIn(inputs, (name) =>
    replaceOn.includes(name) ? "A change replaces the resource." : undefined,
  );
}

/** The arguments of the component, or of an object among them. */
export function componentArguments(inputs: z.ZodObject): Argument[] {
  return argumentsIn(inputs, (_name, field) => {
    const replaced = definitions.filter((definition) => replaces(definition, field));
    if (replaced.length === 0) return undefined;
    return `A change replaces ${enumeration(replaced.map(({ type }) => `\`${type}\``))}.`;
  });
}

/** Arguments of an object that stands for itself: nothing is known of what a change replaces. */
export function groupArguments(inputs: z.ZodObject): Argument[] {
  return argumentsIn(inputs, () => undefined);
}

function argumentsIn(
  inputs: z.ZodObject,
  consequence: (name: string, field: z.ZodType) => string | undefined,
): Argument[] {
  return Object.entries(fieldsOf(inputs))
    .filter(([, field]) => docOf(field).filledInBy !== "resource")
    .map(([name, field]) => ({
      name,
      field,
      required: !isOptional(field),
      meaning: [meaning(name, field), origin(field), consequence(name, field)].filter(Boolean).join(" "),
      default: defaultText(name, field),
    }));
}

function origin(field: z.ZodType): string | undefined {
  return docOf(field).filledInBy === "component" ? "`BemiAuditTrail` fills it in." : undefined;
}

/** Whether a change of the component's field replaces the resource of a kind: then both are one schema. */
function replaces({ inputs, replaceOn }: Definition, field: z.ZodType): boolean {
  const fields = fieldsOf(inputs);
  return replaceOn.some((name) => fields[name] !== undefined && coreOf(fields[name]) === coreOf(field));
}

/** The object that an argument consists of, if it is one. */
export function objectOf(field: z.ZodType): z.ZodObject | undefined {
  const core = coreOf(field);
  return core instanceof z.ZodObject ? core : undefined;
}
