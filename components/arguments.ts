import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { describeMistakes, mistakesIn, pathText, type Mistake } from "../provider/contract/mistakes";
import { coreOf, docOf, fieldsOf } from "../provider/contract/schema";

/** What arguments are checked against: a definition of a kind, of the component or of the provider. */
interface Checkable {
  /** Name of the class. */
  readonly type: string;
  readonly inputs: z.ZodObject;
}

/**
 * Checks the arguments of one class as a whole, before anything is registered: a program with a mistake in it makes no
 * resource. TypeScript finds most mistakes itself; plain JavaScript does not, and neither finds a value that is
 * `undefined` only when the program runs. Outputs and promises are not known yet, so the plugin checks them later.
 *
 * @throws pulumi.RunError with a line for each mistake; Pulumi shows it without a stack
 */
export function checkArguments({ type, inputs }: Checkable, name: string, args: object | undefined): void {
  const values = { ...args };
  const filledIn = Object.entries(fieldsOf(inputs)).flatMap(([key, field]) =>
    docOf(field).filledInBy === "resource" ? [key] : [],
  );
  const placeholders = Object.fromEntries(filledIn.map((key) => [key, "filled in by the plugin"]));
  const mistakes = [
    ...mistakesIn(inputs, { ...values, ...placeholders }, isUnknown).mistakes,
    ...filledIn.filter((key) => key in values).map((key) => mistake([key], "is not an argument")),
    ...unknownDecisions(inputs, values, []),
  ];
  if (mistakes.length === 0) return;
  const lines = mistakes.map((each) => `  - ${describeMistakes([each])}`);
  throw new pulumi.RunError([`The arguments of ${type} "${name}" need attention:`, ...lines].join("\n"));
}

/** Arguments that decide which resources there are, and are not known while the program runs. */
function unknownDecisions(
  schema: z.ZodObject,
  values: Readonly<Record<string, unknown>>,
  above: readonly string[],
): Mistake[] {
  return Object.entries(fieldsOf(schema)).flatMap(([key, field]) => {
    const [value, core, path] = [values[key], coreOf(field), [...above, key]];
    if (isUnknown(value))
      return docOf(field).plain === true
        ? [
            mistake(
              path,
              "must be a plain value, not an output or a promise: it decides which resources there are",
            ),
          ]
        : [];
    const isGroup = core instanceof z.ZodObject && typeof value === "object" && value !== null;
    return isGroup ? unknownDecisions(core, { ...value }, path) : [];
  });
}

function mistake(steps: readonly string[], message: string): Mistake {
  return { path: pathText(steps), steps, message };
}

/** Whether a value is known only later. */
function isUnknown(value: unknown): boolean {
  return pulumi.Output.isInstance(value) || value instanceof Promise;
}
