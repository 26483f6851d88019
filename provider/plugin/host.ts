import { UserError } from "../contract/errors";
import type { NeonApi } from "../contract/neonApi";
import { redact, secret } from "../contract/secrets";
import { createNeonApi } from "../neon";
import type { Host, StackConfig } from "./adapter";
import { CommandMemory, commandProcess } from "./commandMemory";
import { EngineWatch } from "./engineWatch";
import { makeRun } from "./run";

/** Address of Neon's API, unless NEON_API_URL or `neon:apiUrl` names another one. */
const NEON_API_URL = "https://console.neon.tech/api/v2";

/** What a plugin process gets from outside. */
interface Surroundings {
  /** Environment variables. This is the one place of the provider that reads them. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Address of Pulumi's engine, the first argument of the plugin process. */
  readonly engineAddress: string | undefined;
  /** Prints a line that the engine shows under the stack's output. */
  readonly print: (line: string) => void;
}

/** The run of this process, and the stack's configuration that it is made with. */
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

  // Made at the first use: only then must there be an API key.
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

  return {
    run: makeRun({
      neon,
      connection: { sslRootCert: environment["PGSSLROOTCERT"] || undefined },
      memory: new CommandMemory(commandProcess()),
      log,
      checkpoint,
    }),
    configure: (given) => {
      config = given;
      engine.start();
    },
  };
}
