import { secretsOf } from "../contract/definition";
import { isDrift } from "../contract/drift";
import { UnfinishedError, UserError } from "../contract/errors";
import type { AnyKind, Run } from "../contract/kind";
import { describeMistakes, mistakesIn, type Mistake } from "../contract/mistakes";
import { printable } from "../contract/printable";
import { withRecordedOf, type Target } from "../contract/target";
import { linesOf } from "./failure";
import { InputFields } from "./inputs";
import { anotherBy, GENERATION, generationOf, Living } from "./living";
import { moved } from "./moved";
import { stateOf, type Sent } from "./state";
import { parseUrn } from "./urn";
import { differences, hasUnknown, isUnknown, rootOf, UNKNOWN, type Change, type Values } from "./values";
import { watched } from "./watched";

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
  readonly #living = new Living();
  /** Outputs that are secret whatever they are made of. */
  readonly secrets: readonly string[];
  /** Whether a replacement deletes the old object before it makes the new one. */
  readonly deletedBeforeReplace: boolean;

  /** @param offline - previews and reads look at nothing, because the user says that nothing can be reached */
  constructor(kind: AnyKind, run: Run, offline = false) {
    const { inputs, outputs, deleteBeforeReplace = false } = kind.definition;
    this.deletedBeforeReplace = deleteBeforeReplace;
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
      if ((path === "branch" || path === "database") && anotherBy([path], state, news).length === 0) continue;
      if (!this.#fields.names.has(path)) changes.set(path, { change, input: true });
    }
    for (const key of Object.keys(state)) {
      if (isDrift(key) && !ignored.includes(key)) changes.set(key, { change: "delete", input: false });
    }
    const changed = new Set([...changes.keys()].map(rootOf));
    return { changes, replaces: this.#kind.definition.replaceOn.filter((key) => changed.has(key)) };
  }

  /** Outputs of a create that is only planned: unknown where only doing it will tell. Throws what it would throw. */
  async previewCreate(urn: string, news: Values): Promise<Values> {
    const before = this.#replacedBySame(urn, news);
    if (before !== undefined) {
      this.#logReplacement();
      // The engine asks for the same preview with that option, and does not say so.
      this.#run.log(
        "With the option deleteBeforeReplace, the old one is removed first, and a new one is made in its place.",
      );
    }
    const replaces = before === undefined ? this.#living.newest(urn) : undefined;
    return this.#planned(urn, news, before, replaces);
  }

  /** Outputs of an update that is only planned; otherwise like {@link previewCreate}. */
  async previewUpdate(sent: Sent, news: Values): Promise<Values> {
    return this.#planned(sent.urn, news, forPlace(this.#checked(sent), news));
  }

  /**
   * Makes the object. A replacement of a resource by the same object in the database or in Neon is an update of that
   * object: its users do not notice, and the delete of the old resource, which follows, leaves it alone.
   */
  async create(urn: string, news: Values): Promise<State> {
    const id = this.#kind.id(news);
    const newest = this.#living.newest(urn);
    const generation = newest === undefined ? {} : { [GENERATION]: generationOf(newest) + 1 };
    const before = this.#replacedBySame(urn, news);
    if (before !== undefined) this.#logReplacement();
    const others = this.#others(urn, news);
    const { run, wrote } = watched(this.#run);
    const made =
      before === undefined
        ? await this.#kept(id, news, this.#kind.create(news, run, newest, others), wrote)
        : await this.#kept(id, news, this.#kind.update(before, news, this.#run, others));
    return this.#noted(urn, { ...made, outputs: { ...made.outputs, ...generation } });
  }

  /** Brings the object to new inputs. After an error the engine keeps the state as it was, and the next up repeats this. */
  async update(sent: Sent & { readonly id: string }, news: Values): Promise<State> {
    const before = this.#checked(sent);
    const { [GENERATION]: generation } = before;
    const others = this.#others(sent.urn, news);
    const work = this.#kind.update(forPlace(before, news), news, this.#run, others);
    const changed = await this.#kept(sent.id, news, work);
    return this.#noted(sent.urn, { ...changed, outputs: { ...changed.outputs, ...known({ generation }) } });
  }

  /** The outputs as they are now, what has drifted included; `undefined` when the object is gone. */
  async refresh(sent: Sent & { readonly id: string; readonly inputs: Values }): Promise<State | undefined> {
    const { urn, id, inputs, state: raw } = sent;
    const state = this.#checked(sent);
    this.#living.note(urn, state);
    if (this.#offline) return { id, inputs, outputs: raw };
    const observed = await this.#kind.read({ ...state, ...inputs }, this.#run);
    if (observed === undefined) {
      this.#living.forget(urn);
      return undefined;
    }
    // An engine that reads forgets that the last run failed, so this is remembered until an update succeeds.
    const { unfinished } = raw;
    const { [GENERATION]: generation } = state;
    const outputs = {
      ...inputs,
      ...observed.outputs,
      ...moved(state, inputs, observed.outputs),
      ...observed.drift,
      ...known({ unfinished, generation }),
    };
    return this.#noted(urn, { id, inputs, outputs });
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

  /** Removes the object, unless a replacement of the resource is the same object. Leaves what other resources share. */
  async delete(sent: Sent): Promise<void> {
    const state = this.#checked(sent);
    const newest = this.#living.newest(sent.urn);
    const { replaceOn } = this.#kind.definition;
    const replaced = newest !== undefined && anotherBy(replaceOn, state, newest).length > 0;
    if (newest !== undefined && !replaced && generationOf(newest) > generationOf(state)) {
      this.#run.log("Nothing is removed: the replacement is the same object, and uses it.");
      return;
    }
    const others = this.#others(sent.urn, state);
    // Before the work: of resources that share an object and are deleted side by side, one has to remove it.
    if (!replaced) this.#living.forget(sent.urn);
    try {
      await this.#kind.delete(state, this.#run, replaced, others);
    } catch (error) {
      this.#living.note(sent.urn, state);
      throw error;
    }
  }

  /** The states of the other resources that share the object. An object with a mark belongs to one resource only. */
  #others(urn: string, values: Values): readonly Values[] {
    const { replaceOn, outputs } = this.#kind.definition;
    return "ownershipId" in outputs.shape ? [] : this.#living.others(urn, replaceOn, values);
  }

  /** The state of the resource, of those that this process has seen, that a create replaces by the same object. */
  #replacedBySame(urn: string, news: Values): Values | undefined {
    const before = this.#living.newest(urn);
    if (before === undefined) return undefined;
    const { replaceOn } = this.#kind.definition;
    return anotherBy(replaceOn, before, news).length === 0 ? before : undefined;
  }

  #logReplacement(): void {
    this.#run.log(
      "The replacement is the same object in another resource: it stays, and is brought up to date like in an update.",
    );
    if ("passwordVersion" in this.#kind.definition.inputs.shape)
      this.#run.log("The role keeps its password. A change of passwordVersion sets a new one.");
  }

  #checked(sent: Sent): Values {
    return stateOf(this.#kind, this.#fields.names, { ...sent, state: withoutDrift(sent.state) });
  }

  #noted(urn: string, made: State): State {
    this.#living.note(urn, withoutDrift(made.outputs));
    return made;
  }

  async #planned(urn: string, news: Values, state: Values | undefined, replaces?: Values): Promise<Values> {
    const unknown = Object.fromEntries(this.#outputNames.map((name) => [name, UNKNOWN]));
    if (this.#offline) {
      // Under the first resource only: it holds for all of them.
      await this.#run.oncePerCommand("offline", () => {
        this.#run.log("Nothing was looked at for this preview, because PULUMI_NEON_BEMI_OFFLINE is set.");
        return Promise.resolve("said");
      });
      return { ...unknown, ...news };
    }
    const inputs = this.#fields.withoutDispensable(news);
    const missing = Object.keys(this.#kind.definition.inputs.shape).filter((name) =>
      hasUnknown(inputs[name]),
    );
    if (missing.length > 0) {
      const { unplanned } = this.#kind.definition;
      this.#run.log(`Not known yet: ${missing.join(", ")}. So nothing could be looked at for this preview.`);
      const warning = state === undefined ? unplanned?.(inputs) : undefined;
      if (warning !== undefined) this.#run.log(warning);
      return { ...unknown, ...news };
    }
    const others = this.#others(urn, inputs);
    const { outputs, changes } = await this.#kind.plan(inputs, this.#run, state, replaces, others);
    for (const line of changes) this.#run.log(line);
    return { ...unknown, ...news, ...known(outputs) };
  }

  /**
   * The state after some work, also where the work left something unfinished. A create that fails after it has written
   * something keeps the resource: otherwise nobody would know of the object, and no destroy would remove it.
   *
   * @param wrote of a create: whether it has written anything
   */
  async #kept(id: string, inputs: Values, work: Promise<object>, wrote = () => false): Promise<State> {
    try {
      return { id, inputs, outputs: { ...inputs, ...(await work) } };
    } catch (error) {
      const left = error instanceof UnfinishedError ? error.outputs : wrote() && (await this.#left(inputs));
      if (!left) throw error;
      const problem = linesOf(error);
      const unfinished = printable(problem.join(" "));
      return { id, inputs, outputs: { ...inputs, ...left, unfinished }, problem };
    }
  }

  /** What a create that failed has left: its outputs as far as they can be read; `undefined` when there is nothing. */
  async #left(inputs: Values): Promise<Values | undefined> {
    try {
      return (await this.#kind.read(inputs, this.#run))?.outputs;
    } catch {
      // The next refresh reads them.
      return {};
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

/** The state for new inputs that may name another branch or database than the one it was made on. */
function forPlace(state: Values, news: Values): Values {
  return withRecordedOf(state as unknown as Target, news as unknown as Target) as unknown as Values;
}

/** Project, stack and name of the declaring resource, for people who read the mark on an object. */
function displayName(urn: string): string {
  const { project, stack, name } = parseUrn(urn);
  return `${project}/${stack}/${name}`;
}
