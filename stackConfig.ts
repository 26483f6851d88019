import { z } from "zod";
import type { BemiAuditTrailArgs } from "./components";
import { givenSelections } from "./provider/contract/fields/selection";
import { coreOf, fieldsOf } from "./provider/contract/schema";
import { trailInputs, type TrailInputs } from "./provider/contract/trail";

/** Namespace of this program's stack configuration. */
export const NAMESPACE = "neon-bemi";

/** The keys are the component's arguments, and are checked as its resources check them. */
const KEYS = fieldsOf(trailInputs);

/** Every mistake in the stack's configuration, at once. */
export class StackConfigError extends Error {
  override readonly name = "StackConfigError";

  constructor(readonly mistakes: readonly string[]) {
    super(
      ["The stack's configuration needs attention:", ...mistakes.map((line) => `  - ${line}`)].join("\n"),
    );
  }
}

/**
 * The component's arguments from the stack's configuration. What is not configured stays left out: the component and
 * the provider know the defaults.
 *
 * @param all - every key of the stack's configuration with its namespace, e.g. `{"neon-bemi:projectId": "..."}`.
 * @throws StackConfigError that names each mistake by its key, with the command that mends it.
 */
export function parseStackConfig(all: Readonly<Record<string, string>>): BemiAuditTrailArgs {
  const prefix = `${NAMESPACE}:`;
  const mistakes: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [fullKey, raw] of Object.entries(all)) {
    if (!fullKey.startsWith(prefix)) continue;
    const key = fullKey.slice(prefix.length);
    const field = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (field === undefined) mistakes.push(unknownKey(fullKey, "this program", Object.keys(KEYS), "rm"));
    else values[key] = isText(field) ? raw : fromJson(raw);
  }
  const { error } = trailInputs.safeParse(values);
  mistakes.push(...(error?.issues ?? []).flatMap((issue) => describe(issue, values)));
  if (mistakes.length > 0) throw new StackConfigError(mistakes);
  return values as TrailInputs;
}

function describe(issue: z.core.$ZodIssue, values: object): string[] {
  if (issue.path.length === 0) {
    // The one check of the arguments together: which of them exclude one another.
    const given = givenSelections(values).map((name) => keyAt([name]));
    return [`${given.join(" and ")} ${issue.message}; keep one of them: pulumi config rm ${given[1] ?? ""}`];
  }
  const key = keyAt(issue.path);
  if (issue.code === "unrecognized_keys") {
    const group = fieldAt(issue.path);
    const known = group instanceof z.ZodObject ? Object.keys(fieldsOf(group)) : [];
    return issue.keys.map((name) => unknownKey(`${key}.${name}`, key, known, "rm --path"));
  }
  return [`${key} ${issue.message}; fix: pulumi config set ${assignment(issue.path)}`];
}

function unknownKey(key: string, of: string, known: readonly string[], remove: string): string {
  return `${key} is not a key of ${of} (known: ${known.join(", ")}); remove it: pulumi config ${remove} ${key}`;
}

/** What `pulumi config set` needs to give a key a value of its kind. */
function assignment(path: readonly PropertyKey[]): string {
  const field = fieldAt(path);
  if (field instanceof z.ZodArray) return assignment([...path, 0]);
  if (field instanceof z.ZodObject) return assignment([...path, Object.keys(fieldsOf(field))[0] ?? ""]);
  const key = keyAt(path);
  if (path.length === 1) return `${key} ${exampleOf(field)}`;
  // A shell reads brackets as a pattern.
  return `--path ${key.includes("[") ? `'${key}'` : key} ${exampleOf(field)}`;
}

/** A key as `pulumi config --path` writes it, e.g. `neon-bemi:tables[0]`. */
function keyAt([first = "", ...rest]: readonly PropertyKey[]): string {
  const steps = rest.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`));
  return `${NAMESPACE}:${String(first)}${steps.join("")}`;
}

/** The value to write in place of a wrong one, where its kind leaves no choice; otherwise a word that says so. */
function exampleOf(field: z.ZodType | undefined): string {
  if (field instanceof z.ZodBoolean || field instanceof z.ZodLiteral) return "true";
  if (field instanceof z.ZodNumber) return "1";
  return "VALUE";
}

/** The schema of the value at a path of the configuration; `undefined` for a path that leads nowhere. */
function fieldAt(path: readonly PropertyKey[]): z.ZodType | undefined {
  let field: z.ZodType | undefined = trailInputs;
  for (const step of path) {
    if (field instanceof z.ZodObject) field = fieldsOf(field)[String(step)];
    else if (field instanceof z.ZodArray) field = field.element as z.ZodType;
    else return undefined;
    if (field !== undefined) field = coreOf(field);
  }
  return field;
}

/** Whether a key's value is taken as it is; the others are JSON, as `pulumi config set --path` writes them. */
function isText(field: z.ZodType): boolean {
  const core = coreOf(field);
  return core instanceof z.ZodString || core instanceof z.ZodEnum;
}

/** A value that is no JSON is taken as the text it is, so that the check can say what was expected instead. */
function fromJson(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return raw;
  }
}
