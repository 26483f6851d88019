import { secretsOf } from "../contract/definition";
import { isDrift } from "../contract/drift";
import { UnfinishedError, UserError } from "../contract/errors";
import type { AnyKind, Run } from "../contract/kind";
import { describeMistakes, mistakesIn, type Mistake } from "../contract/mistakes";
import { printable } from "../contract/printable";
import { sameTarget, type Target } from "../contract/target";
import { InputFields } from "./inputs";
import { parseUrn } from "./urn";
import { differences, hasUnknown, isUnknown, rootOf, UNKNOWN, type Change, type Values } from "./values";

/** How new inputs and the last state differ. */
export interface Difference {
  /** By property path; `input` says whether the program's value changed, not the database's. */
  readonly changes: ReadonlyMap<string, { readonly change: Change; readonly input: boolean }>;
  /** Top-level inputs whose change makes another object. */
  readonly replaces: readonly string[];
}

/** Inputs after their check, each mistake as one sentence. */
export interface CheckedInputs {
  readonly inputs: Values;
  readonly mistakes: readonly string[];
}

/** Inputs and outputs of a resource. The outputs repeat the inputs. */
export interface State {
  readonly id: string;
  readonly inputs: Values;
  readonly outputs: Values;
  /** What keeps a resource that was made or changed from being as it should be, line by line; left out: nothing. */
  readonly problem?: readonly string[];
}

/**
 * One kind as Pulumi's engine asks for it, over plain values. What has drifted is part of the outputs, by the names of
 * `DRIFT`: `read` puts it there, every diff reports it as a change, and an update takes it away.
 */
export class Resource {
  readonly #kind: AnyKind;
  readonly #run: Run;
  readonly #fields: InputFields;
  readonly #outputNames: readonly string[];
  readonly #offline: boolean;
  /** Outputs that are secret whatever they are made of. */
  readonly secrets: readonly string[];

  /** @param offline - previews and reads look at nothing, because the user says that nothing can be reached */
  constructor(kind: AnyKind, run: Run, offline = false) {
    const { inputs, outputs } = kind.definition;
    this.#kind = kind;
    this.#run = run;
    this.#offline = offline;
    this.#fields = new InputFields(inputs);
    this.#outputNames = Object.keys(outputs.shape);
    this.secrets = secretsOf(outputs);
  }

  /** Checks and completes the program's inputs. Values that are not known yet pass. */
  check(urn: string, news: Values): CheckedInputs {
    const ownNames = Object.fromEntries(this.#fields.ownNames.map((name) => [name, displayName(urn)]));
    const { value, mistakes } = mistakesIn(this.#kind.definition.inputs, { ...news, ...ownNames }, isUnknown);
    return { inputs: value, mistakes: sentences(mistakes) };
  }

  /**
   * Compares new inputs with the last ones, and says what had drifted when the state was last read.
   *
   * @param ignored - property paths that the program wants to be left alone (`ignoreChanges`)
   */
  diff(state: Values, oldInputs: Values, news: Values, ignored: readonly string[] = []): Difference {
    const changes = new Map<string, { change: Change; input: boolean }>();
    for (const [path, change] of differences(oldInputs, news)) {
      if (path === "branch" && namesSameBranch(state, news)) continue;
      if (!this.#fields.names.has(path)) changes.set(path, { change, input: true });
    }
    for (const key of Object.keys(state)) {
      if (isDrift(key) && !ignored.includes(key)) changes.set(key, { change: "delete", input: false });
    }
    const changed = new Set([...changes.keys()].map(rootOf));
    return { changes, replaces: this.#kind.definition.replaceOn.filter((key) => changed.has(key)) };
  }

  /** Outputs of a create that is only planned: unknown where only doing it will tell. Throws what it would throw. */
  async previewCreate(news: Values): Promise<Values> {
    return this.#planned(news, undefined);
  }

  /** Outputs of an update that is only planned; otherwise like {@link previewCreate}. */
  async previewUpdate(state: Values, news: Values): Promise<Values> {
    return this.#planned(news, withoutDrift(state));
  }

  async create(news: Values): Promise<State> {
    const id = this.#kind.id(news);
    return this.#kept(id, news, this.#kind.create(news, this.#run));
  }

  async update(id: string, state: Values, news: Values): Promise<State> {
    return this.#kept(id, news, this.#kind.update(withoutDrift(state), news, this.#run));
  }

  /** The outputs as they are now, what has drifted included; `undefined` when the object is gone. */
  async refresh(id: string, state: Values, inputs: Values): Promise<State | undefined> {
    if (this.#offline) return { id, inputs, outputs: state };
    const observed = await this.#kind.read({ ...inputs, ...withoutDrift(state) }, this.#run);
    if (observed === undefined) return undefined;
    // An engine that reads forgets that the last run failed, so this is remembered until an update succeeds.
    const { unfinished } = state;
    return {
      id,
      inputs,
      outputs: {
        ...inputs,
        ...observed.outputs,
        ...observed.drift,
        ...(unfinished === undefined ? {} : { unfinished }),
      },
    };
  }

  /** An object that exists and is in no state; `undefined` when there is no such object. */
  async import(id: string, urn: string): Promise<State | undefined> {
    if (this.#kind.find === undefined)
      throw new UserError(
        `${parseUrn(urn).type} cannot be imported. Declare it in the program: up looks at the database and takes in what exists.`,
      );
    const found = await this.#kind.find(id, this.#run);
    if (found === undefined) return undefined;
    const { inputs } = this.check(urn, found.inputs);
    const state = { ...inputs, ...found.outputs };
    const observed = await this.#kind.read(state, this.#run);
    // Without what has drifted: the engine refuses to import what differs. The next preview reads again.
    return observed && { id: this.#kind.id(inputs), inputs, outputs: { ...state, ...observed.outputs } };
  }

  async delete(state: Values): Promise<void> {
    await this.#kind.delete(withoutDrift(state), this.#run);
  }

  async #planned(news: Values, state: Values | undefined): Promise<Values> {
    const unknown = Object.fromEntries(this.#outputNames.map((name) => [name, UNKNOWN]));
    if (this.#offline) {
      this.#run.log("Nothing was looked at for this preview, because PULUMI_NEON_BEMI_OFFLINE is set.");
      return { ...unknown, ...news };
    }
    const inputs = this.#fields.withoutDispensable(news);
    const missing = Object.keys(this.#kind.definition.inputs.shape).filter((name) =>
      hasUnknown(inputs[name]),
    );
    if (missing.length > 0) {
      const { unplanned } = this.#kind.definition;
      this.#run.log(`Not known yet: ${missing.join(", ")}. So nothing could be looked at for this preview.`);
      if (state === undefined && unplanned !== undefined) this.#run.log(unplanned);
      return { ...unknown, ...news };
    }
    const { outputs, changes } = await this.#kind.plan(inputs, this.#run, state);
    for (const line of changes) this.#run.log(line);
    return { ...unknown, ...news, ...known(outputs) };
  }

  /** The state after some work, also where the work left something unfinished. */
  async #kept(id: string, inputs: Values, work: Promise<object>): Promise<State> {
    try {
      return { id, inputs, outputs: { ...inputs, ...(await work) } };
    } catch (error) {
      if (!(error instanceof UnfinishedError)) throw error;
      const unfinished = printable(error.message);
      return { id, inputs, outputs: { ...inputs, ...error.outputs, unfinished }, problem: error.lines };
    }
  }
}

/** Each mistake once, as a sentence that begins with the path. */
export function sentences(mistakes: readonly Mistake[]): readonly string[] {
  return [...new Set(mistakes.map((mistake) => describeMistakes([mistake])))];
}

function known(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function withoutDrift(state: Values): Values {
  return Object.fromEntries(Object.entries(state).filter(([key]) => !isDrift(key)));
}

/** Project, stack and name of the declaring resource, for people who read the mark on an object. */
function displayName(urn: string): string {
  const { project, stack, name } = parseUrn(urn);
  return `${project}/${stack}/${name}`;
}

/** `undefined`, a branch's name and its id can all mean the same branch, by what the state recorded. */
function namesSameBranch(state: Values, news: Values): boolean {
  const place = { projectId: news["projectId"], database: news["database"] };
  return sameTarget({ ...state, ...place } as Target, { ...news, ...place } as Target);
}
