import * as z from "zod";
import { coreOf, docOf, fieldsOf, withDefaults } from "../contract/schema";
import { hasUnknown, type Values } from "./values";

/** What the contract says about the inputs of one kind, as far as the plugin needs it. */
export class InputFields {
  readonly #schema: z.ZodObject;
  /** Top-level inputs that the resource fills in with its own name, so that programs need not know them. */
  readonly ownNames: readonly string[];
  /**
   * Paths of all inputs that are names of declaring resources, e.g. `managedBy` and `preflight.roleManagedBy`. They
   * change with a rename of the stack, the project or a component, and the object stays the same.
   */
  readonly names: ReadonlySet<string>;

  constructor(schema: z.ZodObject) {
    this.#schema = schema;
    this.ownNames = Object.entries(fieldsOf(schema)).flatMap(([name, field]) =>
      docOf(field).filledInBy === "resource" ? [name] : [],
    );
    this.names = new Set(namesIn(schema));
  }

  /**
   * The inputs without those values that are not known yet and that a plan can do without: triggers, of which a list
   * keeps what is known, and what the component gives for a look ahead.
   */
  withoutDispensable(inputs: Values): Values {
    const fields = fieldsOf(this.#schema);
    const needed = Object.entries(inputs).flatMap(([name, value]): [string, unknown][] => {
      const field = fields[name];
      const { triggerOnly, filledInBy } = field === undefined ? {} : docOf(field);
      if (!hasUnknown(value) || (triggerOnly !== true && filledInBy !== "component")) return [[name, value]];
      return triggerOnly === true && Array.isArray(value)
        ? [[name, value.filter((item) => !hasUnknown(item))]]
        : [];
    });
    return withDefaults(this.#schema, Object.fromEntries(needed));
  }
}

function namesIn(schema: z.ZodObject, within = ""): string[] {
  return Object.entries(fieldsOf(schema)).flatMap(([name, field]) => {
    const path = `${within}${name}`;
    const core = coreOf(field);
    if (core instanceof z.ZodObject) return namesIn(core, `${path}.`);
    return docOf(field).filledInBy === undefined ? [] : [path];
  });
}
