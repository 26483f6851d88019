import { systemClock } from "../contract/clock";
import { UserError } from "../contract/errors";
import type { AnyKind } from "../contract/kind";
import type { NeonApi } from "../contract/neonApi";
import { PROVIDER_ENVIRONMENT, type ProviderInputs } from "../contract/provider";
import { secret } from "../contract/secrets";
import { apiRole, branch, createNeonApi, ipAllow, logicalReplicationKind } from "../neon";
import * as sql from "../postgres";
import { CommandMemory } from "./commandMemory";
import { ComponentServer } from "./construct";
import type { Engine } from "./engine";
import { PrivateFolder, privatePath } from "./privateFolder";
import { makeRun } from "./run";
import type { Parts } from "./server";

/** Address of Neon's API, unless the provider's configuration or the environment names another one. */
const NEON_API_URL = "https://console.neon.tech/api/v2";

/** Every kind of resource that the plugin serves. */
export const KINDS = [
  branch,
  logicalReplicationKind(systemClock, sql.inspect),
  sql.withVerifiedLogin(apiRole),
  ipAllow,
  sql.replicationRole,
  sql.afterMigrations(sql.readAccess),
  sql.afterMigrations(sql.replicaIdentity),
  sql.afterMigrations(sql.publication),
  sql.replicationSlot,
  sql.afterMigrations(sql.readiness),
] as unknown as readonly AnyKind[];

/** What a plugin process gets from outside. */
interface Surroundings {
  readonly engine: Engine;
  /** Environment variables. This is the one place of the provider that reads them. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Process id of the user's command, which both plugin processes of an up share. */
  readonly command: number | undefined;
}

/** The parts of one plugin process. It serves one provider of the program: one account of Neon's. */
export function pluginProcess({ engine, environment, command }: Surroundings): Parts {
  let configuration: ProviderInputs = {};
  // What the program gives comes first: there may be several providers, each with its own account.
  const setting = (key: keyof ProviderInputs): string | undefined =>
    configuration[key] ?? (environment[PROVIDER_ENVIRONMENT[key]] || undefined);
  const log = (message: string): void => {
    engine.log(message);
  };
  const status = (message: string): void => {
    engine.status(message);
  };
  const checkpoint = (): void => {
    engine.checkpoint();
  };

  // Made at the first use: only then must there be an API key.
  let api: NeonApi | undefined;
  const neon = (): NeonApi => {
    if (api !== undefined) return api;
    const apiKey = setting("apiKey");
    if (apiKey === undefined) {
      throw new UserError(
        "There is no Neon API key. Set NEON_API_KEY in the environment, or run `pulumi config set --secret neon-bemi:apiKey`.",
      );
    }
    const baseUrl = setting("apiUrl") ?? NEON_API_URL;
    api = createNeonApi({ baseUrl, apiKey: secret(apiKey), log, status, checkpoint });
    return api;
  };

  return {
    kinds: KINDS,
    engine,
    components: new ComponentServer(),
    configure: (given) => {
      if (given.apiKey !== undefined) secret(given.apiKey);
      configuration = given;
      api = undefined;
    },
    offline: Boolean(environment["PULUMI_NEON_BEMI_OFFLINE"]),
    run: makeRun({
      neon,
      connection: {
        get sslRootCert() {
          return setting("sslRootCert");
        },
      },
      memory: new CommandMemory(
        command,
        new PrivateFolder(privatePath("pulumi-neon-bemi-commands", environment)),
      ),
      log,
      status,
      checkpoint,
    }),
  };
}
