import { existsSync } from "node:fs";
import path from "node:path";
import { Argument, Command } from "commander";
import { UserError } from "../provider/contract/errors";
import { MIGRATIONS_ENVIRONMENT } from "../provider/contract/migrations";
import { accountRun } from "./account";
import { exec, ownerUri, type CommandToRun } from "./exec";
import { databaseByArguments, databaseInStack, type OwnersDatabase } from "./execTarget";
import { withStack, withTarget, type Environment, type StackOptions, type TargetOptions } from "./options";
import { exportStack } from "./pulumi";

interface ExecCommandOptions extends TargetOptions, StackOptions {
  readonly trail?: string;
  readonly redact?: true;
}

const HELP = `
Without --project-id, the database is that of the trail in a stack.
The exit code is that of the command; 3 if it could not be started.`;

/** `neon-bemi exec`. @param done is told the exit code */
export function execCommand(environment: Environment, done: (code: number) => void): Command {
  return withTarget(withStack(new Command("exec")))
    .exitOverride()
    .description(
      "Runs a command, such as a migration, as the database's owner: with DATABASE_URL in its environment.",
    )
    .option("--trail <name>", "the trail whose database it is, in a stack that has several")
    .option("--redact", "replace the URI and its password in what the command prints")
    .addArgument(new Argument("[command...]", "the command and its arguments, after --"))
    .addHelpText("after", HELP)
    .action(async (args: readonly string[], options: ExecCommandOptions) => {
      const toRun = commandToRun(args, environment);
      const database = await databaseToUse(options, environment);
      const uri = await ownerUri(database, accountRun(database.settings, environment));
      // A command after -- is typed where it is to run. That of the argument `migrations` is started by a plugin of Pulumi's.
      const folder = "shell" in toRun ? projectFolder(process.cwd()) : undefined;
      done(await exec(toRun, uri, { environment, folder, redacted: options.redact }));
    });
}

/** The command after `--`, or otherwise the one that the argument `migrations` has put into the environment. */
function commandToRun(args: readonly string[], environment: Environment): CommandToRun {
  if (args.length > 0) return args;
  const shell = environment[MIGRATIONS_ENVIRONMENT.command];
  if (shell !== undefined) return { shell };
  throw new UserError(
    "There is no command to run. Write it after two hyphens: neon-bemi exec -- npx prisma migrate deploy.",
  );
}

/** The options come first, then what the argument `migrations` has put into the environment, and last a stack. */
async function databaseToUse(options: ExecCommandOptions, environment: Environment): Promise<OwnersDatabase> {
  const { projectId, branch, database, stack, cwd, trail } = options;
  const byStack = stack !== undefined || cwd !== undefined || trail !== undefined;
  if (byStack && (projectId ?? branch ?? database) !== undefined)
    throw new UserError(
      "A stack says which database it is. Leave out --project-id, --branch and --database, or --stack, --cwd and --trail.",
    );
  const { [MIGRATIONS_ENVIRONMENT.projectId]: projectOfMigrations } = environment;
  if (!byStack && projectId === undefined && projectOfMigrations !== undefined)
    return databaseByArguments({
      projectId: projectOfMigrations,
      branch: environment[MIGRATIONS_ENVIRONMENT.branch],
      database: environment[MIGRATIONS_ENVIRONMENT.database],
    });
  // An option alone is a mistake too, which names what is missing.
  if ((projectId ?? branch ?? database) !== undefined)
    return databaseByArguments({ projectId, branch, database });
  return databaseInStack(await exportStack({ stack, cwd, environment }), trail);
}

/**
 * The folder of the Pulumi project that a folder is in; `undefined` if it is in none. Pulumi starts its plugins in the
 * folder of `main`, which a program that is compiled has in the folder of its output.
 */
export function projectFolder(folder: string): string | undefined {
  if (["Pulumi.yaml", "Pulumi.yml", "Pulumi.json"].some((name) => existsSync(path.join(folder, name))))
    return folder;
  const parent = path.dirname(folder);
  return parent === folder ? undefined : projectFolder(parent);
}
