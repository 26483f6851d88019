import type { Drift, Kind, Run } from "../../provider/contract/kind";
import { apiRole } from "../../provider/neon";
import {
  publication,
  readAccess,
  readiness,
  replicaIdentity,
  replicationRole,
  replicationSlot,
} from "../../provider/postgres";
import type { Target } from "../../provider/contract/target";

/** A plugin process: what the handlers use, and how it ends. */
export interface TrailRun extends Run {
  readonly lines: readonly string[];
  end(): Promise<void>;
}

/** What a program declares: the arguments of the component, as far as PostgreSQL is concerned. */
export interface TrailArgs extends Target {
  readonly database: string;
  readonly schemas?: readonly string[];
  readonly tables?: readonly string[];
  readonly allTables?: true;
  readonly excludeTables?: readonly string[];
  /** Default: "sql". */
  readonly createdBy?: "sql" | "api";
  /** Default: true. */
  readonly readAccess?: boolean;
  /** Default: true. */
  readonly trackNewTables?: boolean;
  /** Default: false. */
  readonly adopt?: boolean;
  /** Default: true, other than the component's. */
  readonly dropSlotOnDestroy?: boolean;
  readonly passwordVersion?: number;
  /** Name of role, publication and slot. Default: `bemi`. */
  readonly name?: string;
}

type Values = Record<string, unknown>;
interface AnyKind {
  create(inputs: object, run: Run): Promise<object>;
  read(state: object, run: Run): Promise<{ outputs: object; drift?: Drift } | undefined>;
  update(state: object, inputs: object, run: Run): Promise<object>;
  delete(state: object, run: Run): Promise<void>;
  readonly inputs: Kind<object, object>["inputs"];
}

interface Declared {
  readonly name: string;
  readonly kind: AnyKind;
  readonly inputs: Values;
}

/** One resource in the state, as the engine keeps it. */
export interface Kept {
  readonly inputs: Values;
  readonly outputs: Values;
}
export type TrailState = Record<string, Kept>;

const KINDS: Readonly<Record<string, AnyKind>> = {
  role: replicationRole,
  apiRole,
  access: readAccess,
  identity: replicaIdentity,
  publication,
  slot: replicationSlot,
  readiness,
};
/** Resources are deleted in the reverse of this order. */
const ORDER = ["role", "apiRole", "access", "identity", "publication", "slot", "readiness"];

/**
 * Plays the component and the engine over the SQL kinds: refresh, then create or update in the order of dependencies,
 * then delete what is declared no more. Every change is a plugin process of its own. A resource whose step did
 * not return is in the state as it was before the step. It replaces nothing: targets and names must stay.
 */
export class Trail {
  /** Of the last refresh, by resource; empty where all was as left. */
  drift: Record<string, Drift> = {};
  /** What was logged, of all steps. */
  readonly lines: string[] = [];

  /**
   * @param state - what an earlier process knew
   * @param save - called whenever the state changes, before the next step
   */
  constructor(
    private readonly newRun: () => TrailRun,
    readonly state: TrailState = {},
    private readonly save: (state: TrailState) => void = () => undefined,
  ) {}

  /** Returns what it did, e.g. `create publication`. */
  async up(args: TrailArgs): Promise<string[]> {
    await this.refresh();
    const done: string[] = [];
    const declared = declare(args);
    for (const { name, kind, inputs: given } of declared) {
      const inputs = kind.inputs.parse(plain(this.#withFingerprints(name, given))) as Values;
      const before = this.state[name];
      if (before === undefined) {
        done.push(`create ${name}`);
        this.#keep(name, inputs, await this.#step((run) => kind.create(inputs, run)));
      } else if (!same(before.inputs, inputs) || this.drift[name] !== undefined) {
        done.push(`update ${name}`);
        const state = { ...before.inputs, ...before.outputs };
        this.#keep(name, inputs, await this.#step((run) => kind.update(state, inputs, run)));
      }
    }
    const wanted = new Set(declared.map(({ name }) => name));
    return [...done, ...(await this.#delete((name) => !wanted.has(name)))];
  }

  /** In one plugin process, as the engine does. */
  async refresh(): Promise<void> {
    this.drift = {};
    const found = await this.#step(async (run) => {
      const known = Object.entries(this.state);
      return Promise.all(
        known.map(async ([name, { inputs, outputs }]) => {
          const observed = await kindOf(name).read({ ...inputs, ...outputs }, run);
          return { name, inputs, observed };
        }),
      );
    });
    for (const { name, inputs, observed } of found) {
      if (observed === undefined) {
        this.#forget(name);
        continue;
      }
      this.#keep(name, inputs, observed.outputs);
      if (Object.keys(observed.drift ?? {}).length > 0) this.drift[name] = observed.drift ?? {};
    }
  }

  destroy(): Promise<string[]> {
    return this.#delete(() => true);
  }

  async #delete(chosen: (name: string) => boolean): Promise<string[]> {
    const done: string[] = [];
    for (const name of [...ORDER].reverse().filter(chosen)) {
      const kept = this.state[name];
      if (kept === undefined) continue;
      done.push(`delete ${name}`);
      await this.#step((run) => kindOf(name).delete({ ...kept.inputs, ...kept.outputs }, run));
      this.#forget(name);
    }
    return done;
  }

  /** Readiness is told when what it verifies changes. */
  #withFingerprints(name: string, inputs: Values): Values {
    if (name !== "readiness") return inputs;
    const after = ["identity", "publication"].map((of) => this.state[of]?.outputs["fingerprint"]);
    return { ...inputs, after };
  }

  async #step<Result>(work: (run: Run) => Promise<Result>): Promise<Result> {
    const run = this.newRun();
    try {
      return await work(run);
    } finally {
      this.lines.push(...run.lines);
      await run.end();
    }
  }

  #keep(name: string, inputs: Values, outputs: object): void {
    this.state[name] = { inputs, outputs: plain(outputs) };
    this.save(this.state);
  }

  #forget(name: string): void {
    Reflect.deleteProperty(this.state, name);
    this.save(this.state);
  }
}

function declare(args: TrailArgs): Declared[] {
  const { projectId, branch, database, schemas, tables, allTables, excludeTables } = args;
  const { name = "bemi", createdBy = "sql", trackNewTables = true, adopt = false, passwordVersion } = args;
  const target = { projectId, branch, database };
  const selection = { schemas, tables, allTables, excludeTables };
  const managed = (resource: string): string => `shop/production/orders-${resource}`;
  const resource = (kind: string, inputs: Values): Declared => ({ name: kind, kind: kindOf(kind), inputs });
  const role = { ...target, name, adopt, passwordVersion };
  const everything = { ...target, ...selection };
  return [
    createdBy === "api"
      ? resource("apiRole", role)
      : resource("role", { ...role, managedBy: managed("role") }),
    ...(args.readAccess === false ? [] : [resource("access", { ...everything, role: name })]),
    resource("identity", {
      ...everything,
      trackNewTables,
      publication: name,
      managedBy: managed("replica-identity"),
    }),
    resource("publication", {
      ...everything,
      name,
      trackNewTables,
      adopt,
      managedBy: managed("publication"),
    }),
    resource("slot", { ...target, name, role: name, dropOnDestroy: args.dropSlotOnDestroy ?? true }),
    resource("readiness", { ...everything, role: name, publication: name, slot: name, trackNewTables }),
  ];
}

function kindOf(name: string): AnyKind {
  const kind = KINDS[name];
  if (kind === undefined) throw new Error(`There is no kind ${name}.`);
  return kind;
}

/** As it comes back from the engine. */
function plain(values: object): Values {
  return JSON.parse(JSON.stringify(values)) as Values;
}

function same(a: Values, b: Values): boolean {
  const text = (values: Values): string =>
    JSON.stringify(Object.fromEntries(Object.entries(values).sort(([x], [y]) => (x < y ? -1 : 1))));
  return text(a) === text(b);
}
