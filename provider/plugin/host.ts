import { connectTo, createNeonApi, resolveTarget } from "../neon";
import type { Host, StackConfig } from "./adapter";
import { CommandMemory } from "./commandMemory";
import { EngineWatch } from "./engineWatch";
import { UserError } from "../contract/errors";
import type { Run } from "../contract/kind";
import type { NeonApi } from "../contract/neonApi";
import { Sessions } from "../postgres";
import { redact, secret } from "../contract/secrets";
import type { ResolvedTarget, Target } from "../contract/target";

/** Neon's API, where neither NEON_API_URL nor `neon:apiUrl` says otherwise. */
const NEON_API_URL = "https://console.neon.tech/api/v2";

/** What a plugin process takes from its surroundings. */
interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Address of the engine, the first argument of the plugin process. */
  readonly engineAddress: string | undefined;
  /** Prints a line that the engine shows under the stack's output. */
  readonly print: (line: string) => void;
}

/** The one run of this process: API client, resolved targets and SQL sessions, each made when first needed. */
export function createHost({ environment, engineAddress, print }: Surroundings): Host {
  let config: StackConfig = { get: () => undefined };
  const setting = (variable: string, key: string): string | undefined =>
    environment[variable] || config.get(key) || undefined;

  const engine = new EngineWatch(engineAddress);
  const log = (message: string): void => {
    print(redact(message));
  };

  const checkpoint = (): void => {
    engine.checkpoint();
  };

  let api: NeonApi | undefined;
  const neon = (): NeonApi => {
    if (api !== undefined) return api;
    const apiKey = setting("NEON_API_KEY", "neon:apiKey");
    if (apiKey === undefined) {
      throw new UserError(
        "There is no Neon API key. Set NEON_API_KEY in the environment, or `pulumi config set --secret neon:apiKey`.",
      );
    }
    const baseUrl = setting("NEON_API_URL", "neon:apiUrl") ?? NEON_API_URL;
    api = createNeonApi({ baseUrl, apiKey: secret(apiKey), log, checkpoint });
    return api;
  };

  const resolved = new Map<string, Promise<ResolvedTarget>>();
  const resolve: Run["resolve"] = (target, recorded) => {
    const key = JSON.stringify([target.projectId, target.branch, target.database, recorded?.branchId]);
    const pending = resolved.get(key) ?? resolveTarget(neon(), target, recorded, log);
    resolved.set(key, pending);
    // A failure is not kept: what the user mended in between must be seen by the next resource.
    pending.catch(() => resolved.delete(key));
    return pending;
  };

  const sessions = new Sessions((target) => connectTo(neon(), target), log);

  const memory = new CommandMemory();

  const run: Run = {
    get neon() {
      return neon();
    },
    resolve,
    sql: async (target, work, recorded) => sessions.use(await resolve(target, recorded), work),
    closeSql: (target: Target) => sessions.close(target),
    oncePerCommand: (key, ask) => memory.once(key, ask),
    log,
    checkpoint,
  };
  return {
    run,
    configure: (given) => {
      config = given;
      engine.start();
    },
  };
}
