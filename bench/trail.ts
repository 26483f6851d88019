import type { Drift, Kind, Run } from "../provider/contract/kind";
import {
  publication,
  readAccess,
  readiness,
  replicaIdentity,
  replicationRole,
  replicationSlot,
} from "../provider/postgres";
import type { Place } from "./place";
import { startPlugin, TARGET, type Plugin } from "./plugin";

/** A resource with its state, as an engine keeps it. */
interface Resource {
  readonly kind: string;
  readonly up: (run: Run) => Promise<void>;
  readonly refresh: (run: Run) => Promise<Drift>;
  readonly destroy: (run: Run) => Promise<void>;
  readonly state: () => object | undefined;
}

/** The SQL side of one audit trail for all tables of schema public, driven as an engine drives it. */
export class Trail {
  readonly #resources: readonly Resource[];
  readonly #took = new Map<string, number>();

  constructor(
    private readonly place: Place,
    { trackNewTables = true } = {},
  ) {
    const tables = { schemas: ["public"], trackNewTables };
    const owner = { adopt: false, managedBy: "bench/dev/trail" };
    const role = "bemi";
    const slot = "bemi";
    this.#resources = [
      resource(replicationRole, { ...TARGET, name: role, ...owner }),
      resource(readAccess, { ...TARGET, role, schemas: ["public"] }),
      resource(replicaIdentity, { ...TARGET, ...tables, publication: "bemi", managedBy: owner.managedBy }),
      resource(publication, { ...TARGET, ...tables, name: "bemi", ...owner }),
      resource(replicationSlot, { ...TARGET, name: slot, role, dropOnDestroy: false }),
      resource(readiness, { ...TARGET, ...tables, role, publication: "bemi", slot, after: [] }),
    ];
  }

  /** Creates what is not in the state and updates the rest, in one plugin process. */
  async up(): Promise<void> {
    await this.phase(async (plugin) => {
      for (const { kind, up } of this.#resources) await this.timed(kind, () => up(plugin));
    });
  }

  /** Reads every resource, in one plugin process of its own or in the one that is given. */
  async refresh(plugin?: Plugin): Promise<Drift[]> {
    if (plugin === undefined) return this.phase((own) => this.refresh(own));
    const found: Drift[] = [];
    for (const { refresh } of this.#resources) found.push(await refresh(plugin));
    return found;
  }

  /** Deletes every resource, the last one first, in one plugin process. */
  async destroy(): Promise<void> {
    await this.phase(async (plugin) => {
      for (const { kind, destroy } of [...this.#resources].reverse())
        await this.timed(kind, () => destroy(plugin));
    });
  }

  /** What an engine would keep: inputs and outputs of every resource. */
  state(): object[] {
    return this.#resources.flatMap(({ state }) => state() ?? []);
  }

  /** How long the last operation on a resource took, in milliseconds. */
  took(kind: string): number {
    return this.#took.get(kind) ?? NaN;
  }

  private async timed(kind: string, work: () => Promise<void>): Promise<void> {
    const started = performance.now();
    await work();
    this.#took.set(kind, performance.now() - started);
  }

  private async phase<Result>(work: (plugin: Plugin) => Promise<Result>): Promise<Result> {
    const plugin = startPlugin(this.place);
    try {
      return await work(plugin);
    } finally {
      await plugin.end();
    }
  }
}

function resource<Inputs extends object, Outputs extends object>(
  kind: Kind<Inputs, Outputs>,
  inputs: Inputs,
): Resource {
  let state: (Inputs & Outputs) | undefined;
  return {
    kind: kind.name,
    state: () => state && { inputs, outputs: state },
    up: async (run) => {
      const outputs = await (state === undefined
        ? kind.create(inputs, run)
        : kind.update(state, inputs, run));
      state = { ...inputs, ...outputs };
    },
    refresh: async (run) => {
      if (state === undefined) return {};
      const observed = await kind.read(state, run);
      state = observed && { ...inputs, ...observed.outputs };
      return observed === undefined ? { gone: true } : (observed.drift ?? {});
    },
    destroy: async (run) => {
      if (state !== undefined) await kind.delete(state, run);
      state = undefined;
    },
  };
}
