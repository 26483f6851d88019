import type { Command } from "commander";

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the options of a target come to, of those commands that have them. */
export interface TargetOptions {
  readonly projectId?: string;
  readonly branch?: string;
  readonly database?: string;
}

/** What the options of a stack come to, of those commands that have them. */
export interface StackOptions {
  readonly stack?: string;
  readonly cwd?: string;
}

/** Adds the options that name a database. */
export function withTarget(command: Command): Command {
  return command
    .option("--project-id <id>", "id of the Neon project")
    .option("--branch <name>", "name or br- id of the branch (default: the project's default branch)")
    .option("--database <name>", "name of the database");
}

/** Adds the options that name a stack. */
export function withStack(command: Command): Command {
  return command
    .option("--stack <name>", "the stack (default: the one that is selected)")
    .option("--cwd <folder>", "folder of the Pulumi project (default: the current one)");
}
