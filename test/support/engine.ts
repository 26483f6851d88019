import { UnfinishedError } from "../../provider/contract/errors";
import type { Drift, Kind, Run } from "../../provider/contract/kind";
import type { LoggedRun } from "./run";

export type Values = Record<string, unknown>;

/** What an engine calls of a kind, with inputs and outputs whose types it does not know. */
export type AnyKind = Pick<
  Kind<object, object>,
  "definition" | "plan" | "create" | "read" | "update" | "delete"
>;

/** One resource in the state. */
export interface Kept {
  readonly inputs: Values;
  readonly outputs: Values;
}

/** The resources that exist, by name. */
export type EngineState = Record<string, Kept>;

/** The inputs of the resources that a program declares, by name, made from the state of the resources before it. */
export type Program = Readonly<Record<string, (state: EngineState) => object>>;

export interface EngineOptions {
  /** What an earlier engine left. It is changed in place. Default: nothing. */
  readonly state?: EngineState;
  /** Called whenever the state has changed, before the next step. Default: nothing. */
  readonly save?: (state: EngineState) => void;
  /**
   * Whether every create, update and delete has a plugin process of its own, or all of one `up` or `destroy` share one
   * as they do under Pulumi. A refresh always has one process. Default: `change`.
   */
  readonly processPer?: "change" | "phase";
  /** Whether {@link Engine.apply} begins with a refresh. Default: true. */
  readonly refreshes?: boolean;
  /** Whether {@link Engine.apply} also updates resources with neither new inputs nor drift. Default: false. */
  readonly updatesAll?: boolean;
}

/**
 * Plays Pulumi's engine for one stack. It knows no replacement, so inputs that replace a resource must not change. When
 * a step fails, its resource stays in the state as it was before, except after an `UnfinishedError`.
 */
export class Engine {
  /** The drift that the last refresh found, by resource. Resources without drift are left out. */
  drift: Record<string, Drift> = {};
  /** The lines that all steps so far have logged. */
  readonly lines: string[] = [];
  readonly state: EngineState;
  readonly #took = new Map<string, number>();

  /**
   * @param kinds the kinds of all resources that a program may declare, by name, each after those it depends on
   * @param newRun starts a plugin process
   */
  constructor(
    private readonly kinds: Readonly<Record<string, AnyKind>>,
    private readonly newRun: () => LoggedRun,
    private readonly options: EngineOptions = {},
  ) {
    this.state = options.state ?? {};
  }

  /**
   * Plays `pulumi up`: creates or updates what the program declares, then deletes what it does not declare. Returns
   * what was done, e.g. `create publication`.
   */
  async apply(program: Program): Promise<string[]> {
    const { refreshes = true } = this.options;
    if (refreshes) await this.refresh();
    else this.drift = {};
    return this.#phase(async (step) => {
      const done: string[] = [];
      for (const name of Object.keys(this.kinds)) {
        const declared = program[name]?.(this.state);
        if (declared !== undefined) done.push(...(await this.#provide(name, declared, step)));
      }
      return [...done, ...(await this.#delete((name) => program[name] === undefined, step))];
    });
  }

  /**
   * Plays `pulumi preview`, in one plugin process: reads every resource, then plans each one that is new, has other inputs
   * or has drifted. Returns the sentences of the plans, by resource. The state stays as it is.
   */
  preview(program: Program): Promise<Record<string, readonly string[]>> {
    return this.#process(async (run) => {
      const future: EngineState = {};
      const drifted = new Set<string>();
      for (const [name, kept] of Object.entries(this.state)) {
        const observed = await this.#kind(name).read(stateOf(kept), run);
        if (observed === undefined) continue;
        future[name] = { inputs: kept.inputs, outputs: { ...observed.outputs } };
        if (Object.keys(observed.drift ?? {}).length > 0) drifted.add(name);
      }
      const changes: Record<string, readonly string[]> = {};
      for (const [name, kind] of Object.entries(this.kinds)) {
        const declared = program[name]?.(future);
        if (declared === undefined) continue;
        const inputs = plain(kind.definition.inputs.parse(plain(declared)));
        const before = future[name];
        if (before !== undefined && same(before.inputs, inputs) && !drifted.has(name)) continue;
        const planned = await kind.plan(inputs, run, before && stateOf(before));
        changes[name] = planned.changes;
        future[name] = { inputs, outputs: { ...before?.outputs, ...planned.outputs } };
      }
      return changes;
    });
  }

  /**
   * Reads every resource, in one plugin process: the given one, or otherwise a new one. Returns the drift of every
   * resource that exists, also where there is none.
   */
  async refresh(process?: Run): Promise<Record<string, Drift>> {
    const read = (run: Run) =>
      Promise.all(
        Object.entries(this.state).map(async ([name, kept]) => {
          const observed = await this.#kind(name).read(stateOf(kept), run);
          return { name, kept, observed };
        }),
      );
    const found = await (process === undefined ? this.#process(read) : read(process));
    const drifts: Record<string, Drift> = {};
    for (const { name, kept, observed } of found) {
      if (observed === undefined) {
        this.#forget(name);
        continue;
      }
      this.#keep(name, { inputs: kept.inputs, outputs: { ...observed.outputs } });
      drifts[name] = observed.drift ?? {};
    }
    this.drift = Object.fromEntries(
      Object.entries(drifts).filter(([, drift]) => Object.keys(drift).length > 0),
    );
    return drifts;
  }

  /** Deletes every resource, the last one first. Returns what was done, e.g. `delete publication`. */
  destroy(): Promise<string[]> {
    return this.#phase((step) => this.#delete(() => true, step));
  }

  /** How long the last create, update or delete of a resource took, in milliseconds. */
  took(name: string): number {
    return this.#took.get(name) ?? NaN;
  }

  async #provide(name: string, declared: object, step: Step): Promise<string[]> {
    const kind = this.#kind(name);
    const inputs = plain(kind.definition.inputs.parse(plain(declared)));
    const before = this.state[name];
    const { updatesAll = false } = this.options;
    if (before !== undefined && !updatesAll && same(before.inputs, inputs) && this.drift[name] === undefined)
      return [];
    try {
      const outputs = await this.#timed(name, step, (run) =>
        before === undefined ? kind.create(inputs, run) : kind.update(stateOf(before), inputs, run),
      );
      this.#keep(name, { inputs, outputs: { ...outputs } });
    } catch (error) {
      // The new inputs are not taken over, so that the next up finds a difference.
      if (error instanceof UnfinishedError)
        this.#keep(name, {
          inputs: before?.inputs ?? inputs,
          outputs: { ...before?.outputs, ...error.outputs },
        });
      throw error;
    }
    return [`${before === undefined ? "create" : "update"} ${name}`];
  }

  async #delete(chosen: (name: string) => boolean, step: Step): Promise<string[]> {
    const done: string[] = [];
    for (const name of Object.keys(this.kinds).reverse().filter(chosen)) {
      const kept = this.state[name];
      if (kept === undefined) continue;
      await this.#timed(name, step, (run) => this.#kind(name).delete(stateOf(kept), run));
      this.#forget(name);
      done.push(`delete ${name}`);
    }
    return done;
  }

  async #timed<Result>(name: string, step: Step, work: (run: Run) => Promise<Result>): Promise<Result> {
    return step(async (run) => {
      const started = performance.now();
      const result = await work(run);
      this.#took.set(name, performance.now() - started);
      return result;
    });
  }

  /** Runs a phase whose steps share a process or have one each, as the options say. */
  #phase<Result>(work: (step: Step) => Promise<Result>): Promise<Result> {
    if (this.options.processPer !== "phase") return work((step) => this.#process(step));
    return this.#process((run) => work((step) => step(run)));
  }

  async #process<Result>(work: (run: Run) => Promise<Result>): Promise<Result> {
    const run = this.newRun();
    try {
      return await work(run);
    } finally {
      this.lines.push(...run.lines);
      await run.end();
    }
  }

  #kind(name: string): AnyKind {
    const kind = this.kinds[name];
    if (kind === undefined) throw new Error(`There is no kind ${name}.`);
    return kind;
  }

  #keep(name: string, kept: Kept): void {
    this.state[name] = kept;
    this.options.save?.(this.state);
  }

  #forget(name: string): void {
    Reflect.deleteProperty(this.state, name);
    this.options.save?.(this.state);
  }
}

/** Runs one step of a phase in the process that it is meant for. */
type Step = <Result>(work: (run: Run) => Promise<Result>) => Promise<Result>;

/** A resource's state as a handler gets it. */
function stateOf({ inputs, outputs }: Kept): Values {
  return plain({ ...inputs, ...outputs });
}

/** The values after a way through the engine, which carries JSON. */
function plain(values: object): Values {
  return JSON.parse(JSON.stringify(values)) as Values;
}

function same(a: Values, b: Values): boolean {
  const text = (values: Values): string =>
    JSON.stringify(Object.fromEntries(Object.entries(values).sort(([x], [y]) => (x < y ? -1 : 1))));
  return text(a) === text(b);
}
