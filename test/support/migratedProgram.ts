import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { transformSync } from "@swc/core";
import type { SandboxInfo } from "../../sandbox/sandbox";
import { PROJECT } from "../../tools/pulumiCli";
import { Cli, environmentOf } from "./cli";
import { trailArgs } from "./trailRole";

/**
 * What the tools for migrations do: applies the files of the folder `sql` that it has not applied yet, each in a
 * transaction. It also prints what no log should have, and notes what a process list shows meanwhile.
 */
const MIGRATE = `
const { execFileSync } = require("node:child_process");
const { readdirSync, readFileSync, writeFileSync } = require("node:fs");
const { Client } = require(${JSON.stringify(path.join(PROJECT, "node_modules", "pg"))});
const url = process.env.DATABASE_URL;
writeFileSync("processes.txt", execFileSync("ps", ["-eo", "args"]));
(async () => {
  console.log("connecting with", url);
  const connectionString = url.split("?")[0];
  const client = new Client({ connectionString, ssl: { ca: readFileSync(process.env.PGSSLROOTCERT, "utf8") } });
  await client.connect();
  await client.query("CREATE TABLE IF NOT EXISTS public.applied (name text PRIMARY KEY)");
  for (const name of readdirSync("sql").sort()) {
    const { rowCount } = await client.query("SELECT FROM public.applied WHERE name = $1", [name]);
    if (rowCount > 0) continue;
    await client.query("BEGIN");
    await client.query(readFileSync("sql/" + name, "utf8"));
    await client.query("INSERT INTO public.applied VALUES ($1)", [name]);
    await client.query("COMMIT");
    console.log("applied", name);
  }
  await client.end();
})().catch((error) => {
  console.error(error.message);
  process.exit(3);
});`;

/** A stack whose program has a trail with migrations, in a folder with a tool that applies files of SQL. */
export class MigratedProgram {
  private constructor(
    readonly cli: Cli,
    private readonly info: SandboxInfo,
  ) {}

  static async create(info: SandboxInfo): Promise<MigratedProgram> {
    const cli = await Cli.ofProgram(environmentOf(info), "");
    for (const folder of ["sql", "bin", path.join("node_modules", ".bin")])
      mkdirSync(path.join(cli.folder, folder), { recursive: true });
    // As npm does for the command of an installed package.
    symlinkSync(
      path.join("..", "pulumi-neon-bemi", "neon-bemi"),
      path.join(cli.folder, "node_modules", ".bin", "neon-bemi"),
    );
    installCommandPlugin(path.join(cli.folder, "bin"));
    writeFileSync(path.join(cli.folder, "migrate.js"), MIGRATE);
    return new MigratedProgram(cli, info);
  }

  /** Writes a migration. */
  migration(name: string, sql: string): void {
    writeFileSync(path.join(this.cli.folder, "sql", name), sql);
  }

  /** Writes the program. */
  declare(triggers: readonly string[]): Promise<void> {
    const { projectId, database } = this.info;
    const args = trailArgs({
      projectId,
      database,
      schemas: ["app"],
      // Nothing but the migrations then tells that there are new tables.
      trackNewTables: false,
      dropSlotOnDestroy: true,
      migrations: { command: "echo begin && node migrate.js", triggers },
    });
    return this.cli.program(
      `const { BemiAuditTrail } = require("pulumi-neon-bemi");
       const trail = new BemiAuditTrail("app", ${JSON.stringify(args)});
       exports.status = trail.status;`,
    );
  }

  /** The environment variables of commands: the plugin `command` is last in PATH, so that a real one there comes first. */
  get env(): { readonly PATH: string } {
    const { PATH = "" } = this.cli.environment;
    return { PATH: [PATH, path.join(this.cli.folder, "bin")].join(path.delimiter) };
  }
}

/** Puts the plugin of commandPlugin.ts into a folder: the engine finds a plugin by the name of an executable in PATH. */
function installCommandPlugin(folder: string): void {
  const source = readFileSync(path.join(__dirname, "commandPlugin.ts"), "utf8");
  const program = path.join(folder, "commandPlugin.js");
  writeFileSync(program, inJavaScript(source));
  const file = path.join(folder, "pulumi-resource-command");
  const modules = path.join(PROJECT, "node_modules");
  writeFileSync(file, `#!/bin/sh\nNODE_PATH='${modules}' exec node '${program}' "$@"\n`);
  chmodSync(file, 0o755);
}

/** A program in TypeScript as one that Node runs. */
function inJavaScript(source: string): string {
  return transformSync(source, {
    jsc: { parser: { syntax: "typescript" }, target: "es2022" },
    module: { type: "commonjs" },
  }).code;
}
