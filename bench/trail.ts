import type { Drift, Kind, Run } from "../provider/kind";
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
  up(run: Run): Promise<void>;
  refresh(run: Run): Promise<Drift>;
  destroy(run: Run): Promise<void>;
  state(): object | undefined;
}

/** The SQL side of one audit trail for all tables of schema public, driven as an engine drives it. */
export class Trail {
  readonly #resources: readonly Resource[];

  constructor(private readonly place: Place) {
    const tables = { schemas: ["public"], trackNewTables: true };
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
      for (const { up } of this.#resources) await up(plugin);
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
      for (const { destroy } of [...this.#resources].reverse()) await destroy(plugin);
    });
  }

  /** What an engine would keep: inputs and outputs of every resource. */
  state(): object[] {
    return this.#resources.flatMap(({ state }) => state() ?? []);
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
