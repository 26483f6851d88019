import { existsSync } from "node:fs";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { startSandbox } from "../../sandbox";
import { Cli, environmentOf } from "../../test/support/cli";
import { withClient } from "../../test/support/postgres";
import type { Cleanup } from "../../tools/start/cleanup";
import { BEFORE, HISTORY, TABLES, WRITES } from "./history";
import { installTools, runProgram, type Ended, type Installed } from "./install";
import type { Tool } from "./tools";

/** The module's schema, or Bemi's role or publication; not a part of the path of a temporary folder. */
const TRAIL = /(?<![-\w])_?bemi(?![-\w])/;

/** What was seen of one tool. */
export interface Seen {
  readonly tool: Tool;
  readonly version: string;
  /** What failed first, as one line; `undefined` if nothing did. */
  failed?: string;
  /** The application's tables that are not published with the identity FULL at the end. */
  untracked: readonly string[];
  /** Whether the tool's comparison of the database names something of the trail; `undefined` if it has none. */
  seesTrail?: boolean;
  /** The resources that the next preview changes. */
  drift: readonly string[];
}

/**
 * Runs the history with each tool, each in a database of its own: the first migrations without a trail, the others with one, the
 * last one back and forth, and the tool's comparison. Then writes as the application does, previews, and destroys.
 */
export async function checkTools(
  tools: readonly Tool[],
  cleanup: Cleanup,
  progress: (line: string) => void,
): Promise<Seen[]> {
  const installed = await installTools(progress);
  const sandbox = await startSandbox({ profile: "neon", sql: [] });
  cleanup.add(() => sandbox.stop());
  const { ownerUri, superuserUri, sslRootCert, projectId } = sandbox.info;
  const cli = await Cli.ofExample(environmentOf(sandbox.info), "databases");
  cleanup.add(() => cli.remove());
  const uriOf = (uri: string, database: string): string => {
    const url = new URL(uri);
    url.pathname = `/${database}`;
    return url.href;
  };

  const seen: Seen[] = [];
  for (const tool of tools) {
    await withClient(superuserUri, (client) =>
      client.query(`CREATE DATABASE ${tool.name} OWNER neondb_owner`),
    );
    await mkdir(path.join(cli.folder, tool.name));
    await symlink(
      path.join(installed.folder, "node_modules"),
      path.join(cli.folder, tool.name, "node_modules"),
    );
    seen.push({ tool, version: await versionOf(tool, installed), untracked: [], drift: [] });
  }

  const env = (tool: Tool): NodeJS.ProcessEnv => ({
    ...process.env,
    PATH: [...installed.bin, process.env["PATH"] ?? ""].join(path.delimiter),
    DATABASE_URL: uriOf(ownerUri, tool.name),
    NODE_EXTRA_CA_CERTS: sslRootCert,
    PGSSLROOTCERT: sslRootCert,
  });
  const run = async (one: Seen, command: readonly string[] | undefined, what: string): Promise<Ended> => {
    if (command === undefined || one.failed !== undefined) return { code: 0, output: "" };
    progress(`${one.tool.title}: ${what}`);
    const ended = await runProgram(command, path.join(cli.folder, one.tool.name), env(one.tool));
    if (ended.code !== 0) one.failed = `${what}: ${firstError(ended.output)}`;
    return ended;
  };
  const write = async ({ tool }: Seen, count: number): Promise<void> => {
    for (const [name, text] of Object.entries(tool.files(HISTORY.slice(0, count)))) {
      const file = path.join(cli.folder, tool.name, name);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, text);
    }
  };

  for (const one of seen) {
    await write(one, BEFORE);
    await run(one, one.tool.migrate, "migrations before the trail");
  }
  const tracked = seen.filter(({ failed }) => failed === undefined);
  await cli.config({
    "shop-databases-audit:projectId": projectId,
    "shop-databases-audit:databases": tracked.map(({ tool }) => tool.name),
  });
  progress("up");
  await cli.must(["up", "--yes", "--skip-preview"]);
  for (const one of tracked) {
    await write(one, HISTORY.length);
    await run(one, one.tool.migrate, "migrations with the trail");
    await run(one, one.tool.back, "the last migration back");
    await run(one, one.tool.back && one.tool.migrate, "and forth");
    const compared = await run(one, one.tool.compare, "comparison");
    if (one.tool.compare !== undefined) one.seesTrail = TRAIL.test(compared.output);
    await withClient(uriOf(superuserUri, one.tool.name), (client) =>
      client.query(`SET SESSION AUTHORIZATION neondb_owner; ${WRITES}`),
    ).catch((error: unknown) => (one.failed ??= `writes: ${firstError(String(error))}`));
    one.untracked = await untrackedTables(uriOf(superuserUri, one.tool.name));
  }
  progress("preview");
  const preview = JSON.parse(await cli.must(["preview", "--json"])) as {
    steps: { op: string; urn: string }[];
  };
  const changed = preview.steps
    .filter(({ op }) => /^(create|update|replace|delete)/.test(op))
    .map(({ urn }) => urn.split("::").at(-1) ?? "");
  for (const one of tracked) one.drift = changed.filter((name) => name.startsWith(`${one.tool.name}-`));
  progress("destroy");
  await cli.must(["destroy", "--yes", "--skip-preview"]);
  for (const one of tracked) await run(one, one.tool.migrate, "after destroy");
  return seen;
}

/** The line of an output that says best what went wrong. */
function firstError(output: string): string {
  if (/\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED)\b/.test(output))
    return "what it downloads at its start cannot be reached here";
  const lines = output.split("\n").map((line) => line.trim());
  return (
    lines.find((line) => /error/i.test(line)) ??
    lines.find((line) => line !== "") ??
    "no output"
  ).slice(0, 120);
}

async function versionOf(tool: Tool, { folder }: Installed): Promise<string> {
  const file = path.join(folder, "node_modules", tool.package, "package.json");
  if (tool.language === "node" && existsSync(file))
    return (JSON.parse(await readFile(file, "utf8")) as { version: string }).version;
  const requirements = await readFile(path.join(folder, "requirements.txt"), "utf8");
  return new RegExp(`^${tool.package}==(.*)$`, "m").exec(requirements)?.[1] ?? "";
}

async function untrackedTables(uri: string): Promise<string[]> {
  return withClient(uri, async (client) => {
    const { rows } = await client.query<{ relname: string }>(
      `SELECT c.relname FROM pg_catalog.pg_class c
        WHERE c.relname = ANY ($1) AND c.relnamespace = 'public'::pg_catalog.regnamespace
          AND c.relreplident = 'f'
          AND EXISTS (SELECT FROM pg_catalog.pg_publication_tables p
                       WHERE p.pubname = 'bemi' AND p.schemaname = 'public' AND p.tablename = c.relname)`,
      [TABLES],
    );
    const tracked = new Set(rows.map(({ relname }) => relname));
    return TABLES.filter((table) => !tracked.has(table));
  });
}
