import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { MIGRATIONS_ENVIRONMENT } from "../provider/contract/migrations";
import { PROVIDER_ENVIRONMENT } from "../provider/contract/provider";
import type { BemiMigrationsArgs } from "./generated/trailTypes";

/** The database that is migrated. */
interface Target {
  readonly projectId: pulumi.Input<string>;
  readonly branch: pulumi.Input<string> | undefined;
  readonly database: pulumi.Input<string>;
}

/** The migrations of a trail. */
interface Migrations {
  /** What runs them. Everything that needs their tables depends on it. */
  readonly command: pulumi.Resource;
  /** Changes when they run again. */
  readonly fingerprint: pulumi.Input<string>[];
}

/** The version of Pulumi's plugin `command` that the engine takes, unless it has a later one. */
const PLUGIN_VERSION = "1.2.1";

/**
 * The package's command, which gets the owner's URI when it runs. npx finds it in the project's node_modules or among the
 * global packages, and `--no` keeps npx from downloading a package of that name.
 */
const COMMAND = "npx --no neon-bemi exec --redact";

/**
 * A `command.local.Command` without the package `@pulumi/command`: the token is all that the engine needs, and so the
 * component works for programs in other languages too.
 */
class LocalCommand extends pulumi.CustomResource {
  constructor(name: string, args: pulumi.Inputs, opts: pulumi.CustomResourceOptions) {
    super("command:local:Command", name, args, { ...opts, version: PLUGIN_VERSION });
  }
}

/**
 * Declares the command that migrates the database. Neither the owner's URI nor the API key is among its properties: the
 * command asks Neon for the URI, with the key in its environment.
 *
 * @throws pulumi.RunError if the environment has no key, so that a preview fails, and not the command in the middle of up
 */
export function declareMigrations(
  name: string,
  { command, triggers }: BemiMigrationsArgs,
  { projectId, branch, database }: Target,
  opts: pulumi.CustomResourceOptions,
): Migrations {
  const key = PROVIDER_ENVIRONMENT.apiKey;
  // Unit tests with mocks have no engine, and run no command.
  if (pulumi.runtime.getEngine() !== undefined && !process.env[key])
    throw new pulumi.RunError(
      `${name} needs ${key} in the environment: it asks Neon for the URI of the database's owner. A key in the configuration of the provider does not reach it.`,
    );
  for (const trigger of Array.isArray(triggers) ? triggers : [])
    if (pulumi.asset.Asset.isInstance(trigger) || pulumi.asset.Archive.isInstance(trigger))
      throw new pulumi.RunError(
        `${name} cannot have an asset or an archive among its triggers. Give a hash of the files instead.`,
      );
  const environment = {
    [MIGRATIONS_ENVIRONMENT.projectId]: projectId,
    [MIGRATIONS_ENVIRONMENT.branch]: branch,
    [MIGRATIONS_ENVIRONMENT.database]: database,
    [MIGRATIONS_ENVIRONMENT.command]: command,
  };
  const values = pulumi.output([command, triggers ?? []]);
  return {
    command: new LocalCommand(name, { create: COMMAND, environment, triggers }, opts),
    fingerprint: [values.apply((known) => hash(JSON.stringify(known)))],
  };
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
