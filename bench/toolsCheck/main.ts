import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { UserError } from "../../provider/contract/errors";
import { firstFew } from "../../provider/contract/wording";
import { PROJECT } from "../../tools/pulumiCli";
import { runCommand } from "../../tools/start/command";
import { checkTools, type Seen } from "./check";
import { TOOLS, type Tool } from "./tools";

const DOCUMENT = path.join(PROJECT, "docs", "tools.md");
const [BEGIN, END] = ["<!-- npm run tools-check: begin -->", "<!-- npm run tools-check: end -->"];

/**
 * `npm run tools-check`: runs a history of migrations with schema tools from npm and PyPI beside a trail on the sandbox, and
 * writes what was seen into `docs/tools.md`. With `--only knex,alembic` it runs some of them and only prints the table.
 *
 * @returns the exit code: 0 when all was run, also if a tool failed
 */
export function main(args: readonly string[]): Promise<number> {
  return runCommand(async (steps, cleanup) => {
    const { only } = parseArgs({ args: [...args], options: { only: { type: "string" } } }).values;
    const tools = only === undefined ? TOOLS : chosen(only);
    const seen = await steps.run(
      `Running ${tools.length} schema tools`,
      (progress) => checkTools(tools, cleanup, progress),
      () => "schema tools beside a trail",
    );
    const table = tableOf(seen);
    steps.print("", table);
    if (only !== undefined) return;
    const text = await readFile(DOCUMENT, "utf8");
    const [before, rest] = text.split(BEGIN);
    const [, after] = (rest ?? "").split(END);
    if (after === undefined)
      throw new UserError(`${DOCUMENT} has no place for the table: ${BEGIN} ... ${END}`);
    await writeFile(DOCUMENT, `${before ?? ""}${BEGIN}\n\n${table}\n\n${END}${after}`);
    steps.print(`Written to ${DOCUMENT}. Run npm run format.`);
  });
}

function chosen(only: string): Tool[] {
  return only.split(",").map((name) => {
    const tool = TOOLS.find((each) => each.name === name);
    if (tool === undefined)
      throw new UserError(`--only knows ${TOOLS.map((each) => each.name).join(", ")}, not "${name}".`);
    return tool;
  });
}

function tableOf(seen: readonly Seen[]): string {
  const rows = seen.map(({ tool, version, failed, untracked, seesTrail, drift }) => [
    `${tool.title} ${version}`,
    failed === undefined ? "ok" : failed.replaceAll("|", "\\|"),
    failed !== undefined
      ? ""
      : untracked.length === 0
        ? "all tracked"
        : `not tracked: ${firstFew(untracked)}`,
    seesTrail === undefined ? "" : seesTrail ? "names the trail" : "does not name the trail",
    failed !== undefined ? "" : drift.length === 0 ? "no changes" : firstFew(drift),
  ]);
  const head = [
    "tool",
    "migrations, writes",
    "tables at the end",
    "its comparison of the database",
    "next preview",
  ];
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
