import { UnfinishedError, UserError } from "../../provider/contract/errors";
import { CommandMemory } from "../../provider/plugin/commandMemory";
import type { Drift, Kind, Run } from "../../provider/contract/kind";
import { connectTo, createNeonApi, resolveTarget } from "../../provider/neon";
import type { Clock } from "../../provider/neon";
import { Sessions } from "../../provider/postgres/session/sessions";
import type { ResolvedTarget } from "../../provider/contract/target";

export interface LiveRunOptions {
  readonly apiUrl: string;
  readonly apiKey: string;
  /** Path of the CA that the servers' certificates are signed by. */
  readonly sslRootCert: string;
  readonly clock?: Clock;
  readonly checkpoint?: () => void;
}

export interface LiveRun extends Run {
  /** What was logged, oldest first. */
  readonly lines: string[];
  /** Ends all connections, as the end of the plugin process does. */
  end(): Promise<void>;
}

/** A plugin process on a Neon API and real servers, without an engine. */
export function liveRun(options: LiveRunOptions): LiveRun {
  const { apiUrl: baseUrl, apiKey, sslRootCert, clock, checkpoint = () => undefined } = options;
  process.env["PGSSLROOTCERT"] = sslRootCert;
  const lines: string[] = [];
  const log = (line: string): void => {
    lines.push(line);
  };
  const neon = createNeonApi({ baseUrl, apiKey, log, checkpoint, clock });
  const sessions = new Sessions((target) => connectTo(neon, target), log);
  const memory = new CommandMemory(undefined);
  const resolved = new Map<string, Promise<ResolvedTarget>>();
  const resolve: Run["resolve"] = (target, recorded) => {
    const { projectId, branch, database } = target;
    const key = JSON.stringify([projectId, branch, database, recorded?.branchId]);
    const pending = resolved.get(key) ?? resolveTarget(neon, target, recorded, log);
    resolved.set(key, pending);
    pending.catch(() => resolved.delete(key));
    return pending;
  };
  return {
    neon,
    resolve,
    sql: async (target, work, recorded) => sessions.use(await resolve(target, recorded), work),
    closeSql: (target) => sessions.close(target),
    oncePerCommand: (key, ask) => memory.once(key, ask),
    log,
    checkpoint,
    lines,
    end: () => sessions.closeAll(),
  };
}

/** One resource of a stack, with the state that an engine keeps of it. Every step is a plugin process of its own. */
export class Resource<Inputs extends object, Outputs extends object> {
  state: (Inputs & Partial<Outputs>) | undefined;
  drift: Drift = {};

  constructor(
    private readonly kind: Kind<Inputs, Outputs>,
    private readonly newRun: () => LiveRun,
  ) {}

  /** Refresh, then create or update. Creates anew what is gone; updates even where nothing changed. */
  async up(inputs: Inputs): Promise<string[]> {
    await this.refresh();
    return this.#step(async (run) => {
      const before = this.state;
      try {
        const outputs = await (before === undefined
          ? this.kind.create(inputs, run)
          : this.kind.update(before, inputs, run));
        this.state = { ...inputs, ...outputs };
      } catch (error) {
        // As the engine does: the inputs are not taken over, so that the next up finds a difference.
        if (error instanceof UnfinishedError) {
          this.state = { ...(before ?? inputs), ...(error.outputs as Partial<Outputs>) };
        }
        throw error;
      }
    });
  }

  async refresh(): Promise<string[]> {
    return this.#step(async (run) => {
      if (this.state === undefined) return;
      const observed = await this.kind.read(this.state, run);
      this.drift = observed?.drift ?? {};
      this.state = observed && { ...this.state, ...observed.outputs };
    });
  }

  async destroy(): Promise<string[]> {
    return this.#step(async (run) => {
      if (this.state === undefined) return;
      await this.kind.delete(this.state, run);
      this.state = undefined;
    });
  }

  async #step(work: (run: LiveRun) => Promise<void>): Promise<string[]> {
    const run = this.newRun();
    try {
      await work(run);
      return run.lines;
    } finally {
      await run.end();
    }
  }
}

/** The message of the {@link UserError} that the work ends in; `undefined` when it succeeds. Anything else is thrown. */
export async function refusal(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}
