import * as z from "zod";
import type { BemiAuditTrailArgs } from "./components";
import { secretsOf } from "./provider/contract/definition";
import { givenSelections } from "./provider/contract/fields/selection";
import { describeMistakes, fieldAt, mistakesIn, pathText, type Mistake } from "./provider/contract/mistakes";
import { providerInputs } from "./provider/contract/provider";
import { coreOf, fieldsOf, isOptional } from "./provider/contract/schema";
import { trailInputs } from "./provider/contract/trail";
import { closest } from "./provider/contract/wording";

/** Namespace of the provider's own configuration. */
const PROVIDER = "neon-bemi";
/** Namespace of Pulumi's own configuration. */
const PULUMI = "pulumi";

/** The keys are the component's arguments, and are checked as the component checks them. */
const KEYS = fieldsOf(trailInputs);
const PROVIDER_KEYS = Object.keys(fieldsOf(providerInputs));
/** Keys whose values belong into the configuration encrypted. */
const SECRETS = new Set(secretsOf(providerInputs).map((key) => `${PROVIDER}:${key}`));

/** Where the configuration belongs, and how its user mends it. */
interface Place {
  /** Name of the Pulumi project: the namespace of keys that are set without one. */
  readonly project: string;
  /** The command by which the user reached the Pulumi CLI. Default: `pulumi`. */
  readonly command?: string;
}

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
 * @param all - every key of the stack's configuration with its namespace, e.g. `{"audit-trail:projectId": "..."}`.
 * @throws StackConfigError that names each mistake by its key, with the command that mends it.
 */
export function parseStackConfig(
  all: Readonly<Record<string, string>>,
  { project, command = "pulumi" }: Place,
): BemiAuditTrailArgs {
  const values: Record<string, unknown> = {};
  for (const { namespace, key, raw } of entriesOf(all)) {
    if (namespace !== project) continue;
    const field = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    values[key] = field === undefined || isText(field) ? raw : fromJson(raw);
  }
  const misplaced = misplacedKeys(all, project, values);
  const meant = new Set(misplaced.map(({ key }) => key));
  const fix = new Fixes(`${command} config`);
  const mistakes = [
    ...misplaced.map(({ fullKey, key, whose }) =>
      key === undefined
        ? `${fullKey} ${whose}; remove it: ${fix.remove([fullKey])}`
        : `${fullKey} ${whose}. Did you mean ${key}? Fix: ${fix.set([key])}`,
    ),
    ...mistakesIn(trailInputs, values)
      .mistakes.filter(({ path }) => !meant.has(path))
      .map((mistake) => describe(mistake, values, fix)),
  ];
  if (mistakes.length > 0) throw new StackConfigError(mistakes);
  return values as unknown as BemiAuditTrailArgs;
}

interface Entry {
  readonly fullKey: string;
  readonly namespace: string;
  readonly key: string;
  readonly raw: string;
}

function entriesOf(all: Readonly<Record<string, string>>): Entry[] {
  return Object.entries(all).map(([fullKey, raw]) => {
    const colon = fullKey.indexOf(":");
    return { fullKey, namespace: fullKey.slice(0, colon), key: fullKey.slice(colon + 1), raw };
  });
}

/** A key in a namespace where it means nothing. */
interface Misplaced {
  readonly fullKey: string;
  /** The key that was probably meant; `undefined` where none is near. */
  readonly key: string | undefined;
  /** Whose namespace it is; completes a sentence that begins with the key. */
  readonly whose: string;
}

/**
 * Keys of this program that were set in the namespace of the provider or of another project, and keys in the
 * provider's namespace that it does not have. Namespaces of other providers are left alone: only one that also holds a
 * `projectId`, or the one key that is missing here, is taken for that of another project.
 */
function misplacedKeys(
  all: Readonly<Record<string, string>>,
  project: string,
  values: Readonly<Record<string, unknown>>,
): Misplaced[] {
  return entriesOf(all).flatMap(({ fullKey, namespace, key }): Misplaced[] => {
    const field = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (namespace === project || namespace === PULUMI) return [];
    if (namespace === PROVIDER) {
      if (PROVIDER_KEYS.includes(key)) return [];
      const near = closest(key, PROVIDER_KEYS);
      const meant = near === undefined ? undefined : `${PROVIDER}:${near}`;
      return [{ fullKey, key: field === undefined ? meant : key, whose: "is not a setting of the provider" }];
    }
    const needed = field !== undefined && values[key] === undefined;
    const ofATrail = `${namespace}:projectId` in all;
    return needed && (ofATrail || !isOptional(field))
      ? [{ fullKey, key, whose: `belongs to the project ${namespace}` }]
      : [];
  });
}

function describe(mistake: Mistake, values: object, fix: Fixes): string {
  const { path, steps } = mistake;
  if (fieldAt(trailInputs, steps) === undefined) {
    const above = steps.slice(0, -1);
    const group = fieldAt(trailInputs, above);
    const known = group instanceof z.ZodObject ? Object.keys(fieldsOf(group)) : [];
    const near = closest(String(steps.at(-1)), known);
    const hint =
      near === undefined ? `known: ${known.join(", ")}` : `did you mean ${pathText([...above, near])}?`;
    const owner = above.length === 0 ? "this program" : pathText(above);
    return `${path} is not a key of ${owner} (${hint}); remove it: ${fix.remove(steps)}`;
  }
  const said = describeMistakes([mistake]);
  // The one check of several arguments together: which of them exclude one another.
  const [, spare] = givenSelections(values);
  if (steps.length === 0) return `${said}; remove the other: ${fix.remove([spare ?? ""])}`;
  // The entry of an object of a user's own names whose value is right: it is the name that is wrong.
  const wrongName =
    fieldAt(trailInputs, steps.slice(0, -1)) instanceof z.ZodRecord &&
    fieldAt(trailInputs, steps)?.safeParse(valueAt(values, steps)).success === true;
  if (wrongName) return `${said}; remove it: ${fix.remove(steps)}`;
  return `${said}; fix: ${fix.set(steps, valueAt(values, steps))}`;
}

function valueAt(values: object, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[step] : undefined,
    values,
  );
}

/** The commands that mend a mistake. */
class Fixes {
  readonly #config: string;

  constructor(config: string) {
    this.#config = config;
  }

  /** What gives a key a value of its kind; `given` is the wrong one that it has. */
  set(path: readonly PropertyKey[], given?: unknown): string {
    const field = fieldAt(trailInputs, path);
    if (field instanceof z.ZodArray) return this.set([...path, 0]);
    if (field instanceof z.ZodObject) return this.set([...path, Object.keys(fieldsOf(field))[0] ?? ""]);
    const secret = SECRETS.has(pathText(path)) ? "--secret " : "";
    // In a list, Pulumi stores a schema called 2024 or true as a number or a truth value unless it is told otherwise.
    const type = isMeantAsText(field, given) ? "--type string " : "";
    return `${this.#config} set ${secret}${type}${keyOption(path)} ${exampleOf(field, given)}`;
  }

  remove(path: readonly PropertyKey[]): string {
    return `${this.#config} rm ${keyOption(path)}`;
  }
}

/** A key as the command line takes it: `schemas`, `--path 'schemas[0]'`. A shell reads brackets as a pattern. */
function keyOption(path: readonly PropertyKey[]): string {
  const key = pathText(path);
  if (path.length === 1) return key;
  return `--path ${key.includes("[") ? `'${key}'` : key}`;
}

/** The value to write in place of a wrong one, where it can be told; otherwise a word that says so. */
function exampleOf(field: z.ZodType | undefined, given: unknown): string {
  if (isMeantAsText(field, given)) return String(given);
  if (field instanceof z.ZodBoolean || field instanceof z.ZodLiteral) return "true";
  if (field instanceof z.ZodNumber) return "1";
  if (field instanceof z.ZodEnum) return closest(String(given), field.options.map(String)) ?? "VALUE";
  return "VALUE";
}

function isMeantAsText(field: z.ZodType | undefined, given: unknown): boolean {
  return field instanceof z.ZodString && ["number", "boolean"].includes(typeof given);
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
