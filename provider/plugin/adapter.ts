import type { z } from "zod";
import { UnfinishedError, UserError } from "../contract/errors";
import type { Kind, Run } from "../contract/kind";
import { withDefaults } from "../contract/schema";
import { redact } from "../contract/secrets";
import { sameTarget, type Target } from "../contract/target";

/** What Pulumi's dynamic provider host calls. Values are plain JSON; secrets arrive unwrapped. */
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

/** The process that the adapted kinds share. */
export interface Host {
  readonly run: Run;
  /** Stores the stack's configuration. Synchronous: a create may begin before an asynchronous `configure` ended. */
  configure(config: StackConfig): void;
}

/** Stands for a value that is not known in a preview (`unknownValue` of @pulumi/pulumi's rpc). */
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** The property in which the host finds the handler; it must survive every round trip. */
const PROVIDER = "__provider";

/** The extra input by which `read` shows drift: the program never has it, so it makes a difference. */
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
        property: String(issue.path[0] ?? ""),
        reason: redact(describe(issue)),
      }));
      return { inputs: withProvider(withDefaults(kind.inputs as z.ZodObject, own), news), failures };
    },

    // `changes` is left out: the engine then compares old with new inputs, and builds the detailed diff itself.
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

  /** State is trusted: this module wrote it. An older release may have left outputs out, and kinds allow for that. */
  function stateOf(values: Values): Inputs & Partial<Outputs> {
    return withoutBinding(values) as Inputs & Partial<Outputs>;
  }
}

/** The branch may be named in several ways; the other keys are compared as they are. */
function differs(key: string, olds: Values, news: Values): boolean {
  if (isUnknownAt(news, [key])) return true;
  if (key !== "branch") return JSON.stringify(olds[key]) !== JSON.stringify(news[key]);
  const elsewhere = { projectId: news["projectId"], database: news["database"] };
  return !sameTarget({ ...olds, ...elsewhere } as Target, { ...news, ...elsewhere } as Target);
}

/** Wraps a handler so that nothing it throws carries a secret, and every error reads well in the engine's output. */
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

/** An error by which the engine keeps a resource in its state, as made but not finished. */
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

/** Passes a result on; where the work was left unfinished, its outputs still reach the state. */
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
 * The host prints `${error}: ${error.stack}` for some methods and the engine prints `error.message` for all, so the
 * text is in the message alone. A bug (anything but a UserError) says that it is one, and where.
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

/** What an error thrown by a handler turns into in the host's own log line; see {@link silenceHost}. */
const QUIET = "pulumi-neon-bemi: the engine reports this error";

/**
 * Keeps the host from printing an error a second time, with an empty stack, when the engine prints it already. Other
 * output of `console.error` is untouched.
 */
export function silenceHost(target: Pick<Console, "error">): void {
  const print = target.error.bind(target);
  target.error = (...parts: unknown[]) => {
    if (parts.length === 1 && typeof parts[0] === "string" && parts[0].startsWith(QUIET)) return;
    print(...parts);
  };
}

/** The values without what the binding adds to them. */
function withoutBinding(values: Values): Values {
  return pick(
    values,
    Object.keys(values).filter((key) => key !== PROVIDER && key !== DRIFT),
  );
}

/** The host cannot encode `undefined`, at any depth. */
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
  return issue.path.length === 0 ? issue.message : `${issue.path.join(".")}: ${issue.message}`;
}
