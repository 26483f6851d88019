import type { z } from "zod";
import { UnfinishedError, UserError } from "../contract/errors";
import type { Kind, Run } from "../contract/kind";
import { withDefaults } from "../contract/schema";
import { redact } from "../contract/secrets";
import { sameTarget, type Target } from "../contract/target";

/** The methods that Pulumi's dynamic provider host calls. Values are plain JSON; secrets arrive unwrapped. */
export interface DynamicProvider {
  readonly configure: (request: { readonly config: StackConfig }) => void;
  readonly check: (olds: Values, news: Values) => { inputs: Values; failures: CheckFailure[] };
  readonly diff: (
    id: string,
    olds: Values,
    news: Values,
  ) => { replaces: string[]; deleteBeforeReplace: boolean };
  readonly create: (inputs: Values) => Promise<{ id: string; outs: Values }>;
  readonly read: (id: string, state: Values) => Promise<{ id?: string; props?: Values; inputs?: Values }>;
  readonly update: (id: string, olds: Values, news: Values) => Promise<{ outs: Values }>;
  readonly delete: (id: string, state: Values) => Promise<void>;
}

/** The stack's configuration as the host hands it over: `get("namespace:key")`. */
export interface StackConfig {
  get(key: string): string | undefined;
}

export type Values = Record<string, unknown>;

interface CheckFailure {
  property: string;
  reason: string;
}

/** What the adapted kinds of one process share. */
export interface Host {
  readonly run: Run;
  /** Keeps the stack's configuration. Synchronous, because a create may begin before an asynchronous `configure` ends. */
  configure(config: StackConfig): void;
}

/** What the engine sends for a value that a preview does not know yet (`unknownValue` of @pulumi/pulumi's rpc). */
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** The property in which the host finds the handler. It must be in every answer, otherwise the host loses the handler. */
const PROVIDER = "__provider";

/** The extra input with which `read` reports drift. A program never sets it, so the engine sees a difference. */
const DRIFT = "drift";

/** Serves a kind as the dynamic provider that the host expects. */
export function adapt<Inputs extends object, Outputs extends object>(
  kind: Kind<Inputs, Outputs>,
  host: Host,
): DynamicProvider {
  const inputsOf = (values: Values): Inputs => {
    const result = kind.inputs.safeParse(withoutBinding(values));
    if (!result.success) throw new UserError(explain(result.error));
    return result.data;
  };
  const withProvider = (values: object, from: Values): Values => ({
    ...defined(values),
    [PROVIDER]: from[PROVIDER],
  });

  return {
    configure: ({ config }) => {
      host.configure(config);
    },

    check: (olds, news) => {
      const own = withoutBinding(news);
      const result = kind.inputs.safeParse(own);
      if (result.success) {
        const notice = Object.keys(olds).length === 0 ? kind.notice?.(result.data) : undefined;
        if (notice !== undefined) host.run.log(notice);
        return { inputs: withProvider(result.data, news), failures: [] };
      }
      const issues = result.error.issues.filter((issue) => !isUnknownAt(own, issue.path));
      const failures = issues.map((issue) => ({
        property: argumentOf(issue.path),
        reason: redact(describe(issue)),
      }));
      return { inputs: withProvider(withDefaults(kind.inputs as z.ZodObject, own), news), failures };
    },

    // Without `changes`, the engine compares old with new inputs itself and builds the detailed diff.
    diff: (_id, olds, news) => ({
      replaces: kind.replaceOn.filter((key) => differs(key, olds, news)),
      deleteBeforeReplace: false,
    }),

    create: guarded(async (news: Values) => {
      const inputs = inputsOf(news);
      const id = kind.id(inputs);
      const outs = (outputs: object) => withProvider({ ...inputs, ...outputs }, news);
      return { id, outs: outs(await keepUnfinished(id, outs, kind.create(inputs, host.run))) };
    }),

    read: guarded(async (id: string, state: Values) => {
      const observed = await kind.read(stateOf(state), host.run);
      if (observed === undefined) return {};
      const inputs = pick(state, inputKeys(kind.inputs));
      const drift = observed.drift ?? {};
      const seen = Object.keys(drift).length === 0 ? inputs : { ...inputs, [DRIFT]: drift };
      return {
        id,
        props: withProvider({ ...inputs, ...observed.outputs }, state),
        inputs: withProvider(seen, state),
      };
    }),

    update: guarded(async (id: string, olds: Values, news: Values) => {
      const inputs = inputsOf(news);
      const outs = (outputs: object) => withProvider({ ...inputs, ...outputs }, news);
      return { outs: outs(await keepUnfinished(id, outs, kind.update(stateOf(olds), inputs, host.run))) };
    }),

    delete: guarded(async (_id: string, state: Values) => {
      await kind.delete(stateOf(state), host.run);
    }),
  };

  /** State is not checked, because this package wrote it. An older release may have left out outputs; kinds allow for that. */
  function stateOf(values: Values): Inputs & Partial<Outputs> {
    return withoutBinding(values) as Inputs & Partial<Outputs>;
  }
}

/** Whether an input has changed. A branch can be named in several ways; all other inputs are compared as they are. */
function differs(key: string, olds: Values, news: Values): boolean {
  if (isUnknownAt(news, [key])) return true;
  if (key !== "branch") return JSON.stringify(olds[key]) !== JSON.stringify(news[key]);
  const elsewhere = { projectId: news["projectId"], database: news["database"] };
  return !sameTarget({ ...olds, ...elsewhere } as Target, { ...news, ...elsewhere } as Target);
}

/** Wraps a handler so that its errors hold no secret and can be read in the engine's output. */
function guarded<Args extends unknown[], Result>(
  work: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  return async (...args) => {
    try {
      return await work(...args);
    } catch (error) {
      throw presentable(error);
    }
  };
}

/** The error that makes the engine keep a resource in its state, as created but not finished. */
class InitializationError extends UserError {
  readonly reasons: string[];

  constructor(
    message: string,
    readonly id: string,
    readonly properties: Values,
  ) {
    super(message);
    this.reasons = [redact(message)];
  }
}

/** Passes a result on. When the work was left unfinished, its outputs still reach the state, with the error. */
async function keepUnfinished<Outputs>(
  id: string,
  outs: (outputs: object) => Values,
  work: Promise<Outputs>,
): Promise<Outputs> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof UnfinishedError)
      throw new InitializationError(error.message, id, outs(error.outputs));
    throw error;
  }
}

/**
 * The error as the engine should print it. The engine prints `error.message` for every method; for some, the host prints
 * `${error}: ${error.stack}` besides. So only the message holds the text. Anything but a UserError is a bug, and its text
 * says so and where it happened.
 */
function presentable(error: unknown): Error {
  const plain = error instanceof Error ? error : new Error(String(error));
  const text =
    plain instanceof UserError
      ? plain.message
      : `Unexpected error in pulumi-neon-bemi, please report it: ${plain.stack ?? plain.message}`;
  const shown = new Error(redact(text));
  if (plain instanceof InitializationError) {
    const { id, properties, reasons } = plain;
    Object.assign(shown, { id, properties, reasons });
  }
  shown.stack = "";
  shown.toString = () => QUIET;
  return shown;
}

/** The text of a handler's error in the host's own log line, by which {@link silenceHost} recognises it. */
const QUIET = "pulumi-neon-bemi: the engine reports this error";

/**
 * Keeps the host from printing errors that the engine prints already. All other output of `console.error` stays.
 */
export function silenceHost(target: Pick<Console, "error">): void {
  const print = target.error.bind(target);
  target.error = (...parts: unknown[]) => {
    if (parts.length === 1 && typeof parts[0] === "string" && parts[0].startsWith(QUIET)) return;
    print(...parts);
  };
}

/** The values without the properties that this adapter and the host add. */
function withoutBinding(values: Values): Values {
  return pick(
    values,
    Object.keys(values).filter((key) => key !== PROVIDER && key !== DRIFT),
  );
}

/** The values without `undefined` at any depth, which the host cannot encode. */
function defined(values: object): Values {
  return JSON.parse(JSON.stringify(values)) as Values;
}

function pick(values: Values, keys: readonly string[]): Values {
  return Object.fromEntries(keys.filter((key) => values[key] !== undefined).map((key) => [key, values[key]]));
}

/** The keys of the (possibly refined) object schema of a kind's inputs. */
function inputKeys(schema: z.ZodType): string[] {
  return Object.keys((schema as z.ZodObject).shape);
}

/** Whether the value at the path, or anything on the way to it or within it, is not known yet. */
function isUnknownAt(values: unknown, path: readonly PropertyKey[]): boolean {
  let value = values;
  for (const step of path) {
    if (value === UNKNOWN) return true;
    if (typeof value !== "object" || value === null) return false;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value === UNKNOWN;
}

function explain(error: z.ZodError): string {
  return error.issues.map(describe).join("; ");
}

function describe(issue: z.core.$ZodIssue): string {
  return issue.path.length === 0 ? issue.message : `${argumentOf(issue.path)}: ${issue.message}`;
}

/** What the component's user calls the fields of a preflight, which only the component fills in. */
const PREFLIGHT_ARGUMENTS: Readonly<Record<string, string>> = {
  role: "role.name",
  roleCreatedBy: "role.createdBy",
};

/** The argument at a path, as its user knows it. */
function argumentOf([first, ...rest]: readonly PropertyKey[]): string {
  if (first !== "preflight" || rest.length === 0) return [first ?? "", ...rest].map(String).join(".");
  const [field, ...within] = rest.map(String);
  return [PREFLIGHT_ARGUMENTS[field ?? ""] ?? field ?? "", ...within].join(".");
}
