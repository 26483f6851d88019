import type * as z from "zod";
import { docOf, fieldsOf } from "./schema";

/** Everything that is said about one kind of resource, without what it does: the handler adds that. */
export interface Definition<
  Inputs extends z.ZodObject = z.ZodObject,
  Outputs extends z.ZodObject = z.ZodObject,
> {
  /** Name of the class, and the last part of the type token: `Publication`. */
  readonly type: string;
  /** Name of the handler: `publication`. */
  readonly name: string;
  /** What the resource is and does, in Markdown: the class's doc comment and the head of its part of the reference. */
  readonly description: string;
  readonly inputs: Inputs;
  readonly outputs: Outputs;
  /** Inputs whose change makes another object of it: the new one is created, then the old one is deleted. */
  readonly replaceOn: readonly (keyof z.output<Inputs> & string)[];
  /**
   * Whether a replacement first deletes the old object, because both would have the same name: then Pulumi also deletes
   * what depends on the replaced inputs, and makes it anew afterwards. Left out: the new object is made first.
   */
  readonly deleteBeforeReplace?: true;
  /** Inputs with a default that a program can read back as outputs. */
  readonly readBack: readonly (keyof z.output<Inputs> & string)[];
  /**
   * What a preview says of a create whose inputs are not known yet, so that no plan could be made: a warning of what it
   * may come to, from the inputs that are known. Left out, or `undefined`: nothing but that.
   */
  readonly unplanned?: (inputs: Readonly<Record<string, unknown>>) => string | undefined;
}

/** Checks the types of a definition, and names its handler. */
export function define<Inputs extends z.ZodObject, Outputs extends z.ZodObject>(
  definition: Omit<Definition<Inputs, Outputs>, "name" | "readBack"> &
    Partial<Pick<Definition<Inputs, Outputs>, "readBack">>,
): Definition<Inputs, Outputs> {
  const { type } = definition;
  return { readBack: [], ...definition, name: type.charAt(0).toLowerCase() + type.slice(1) };
}

/** The fields of an object whose values are secret. */
export function secretsOf(outputs: z.ZodObject): string[] {
  return Object.entries(fieldsOf(outputs)).flatMap(([name, field]) => (docOf(field).secret ? [name] : []));
}
