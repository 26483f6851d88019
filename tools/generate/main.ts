import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { format, resolveConfig } from "prettier";
import { definitions } from "../../provider/contract/kinds";
import { componentClass, componentTypes, sharedTypes } from "./component";
import { providerModule } from "./provider";
import { reference } from "./reference";
import { resourceModule } from "./resource";

/*
 * `npm run generate` writes from provider/contract what follows from it: the classes and types of components/generated
 * and docs/reference.md. The output is committed, so that a change of the public surface is seen in a review and an
 * editor finds the code; `--check` changes nothing and fails where a file is not what would be written.
 */

const PROJECT = path.resolve(__dirname, "../..");
const FOLDER = "components/generated";
const HEAD = "// Written by `npm run generate` from provider/contract. Edit the contract.\n\n";

function generated(): Map<string, string> {
  const code = {
    ...Object.fromEntries(definitions.map((definition) => [definition.name, resourceModule(definition)])),
    provider: providerModule(),
    shared: sharedTypes(),
    trailTypes: componentTypes(),
    bemiAuditTrail: componentClass(),
  };
  return new Map([
    ...Object.entries(code).map(([name, text]) => [`${FOLDER}/${name}.ts`, HEAD + text] as const),
    ["docs/reference.md", reference()],
  ]);
}

async function formatted(file: string, text: string): Promise<string> {
  const filepath = path.join(PROJECT, file);
  return format(text, { ...(await resolveConfig(filepath)), filepath });
}

function current(file: string): string | undefined {
  try {
    return readFileSync(path.join(PROJECT, file), "utf8");
  } catch {
    return undefined;
  }
}

async function main(checkOnly: boolean): Promise<number> {
  const files = generated();
  const stale: string[] = [];
  for (const [file, text] of files) {
    const content = await formatted(file, text);
    if (content === current(file)) continue;
    stale.push(file);
    if (!checkOnly) writeFileSync(path.join(PROJECT, file), content);
  }
  const orphans = readdirSync(path.join(PROJECT, FOLDER))
    .map((name) => `${FOLDER}/${name}`)
    .filter((file) => !files.has(file));
  if (!checkOnly) for (const file of orphans) rmSync(path.join(PROJECT, file));
  const lines = [...stale, ...orphans.map((file) => `${file} (no longer part of the contract)`)];
  for (const line of lines) console.error(`${checkOnly ? "out of date" : "written"}: ${line}`);
  if (!checkOnly || lines.length === 0) return 0;
  console.error("Run: npm run generate");
  return 1;
}

mkdirSync(path.join(PROJECT, FOLDER), { recursive: true });
void main(process.argv.includes("--check")).then((code) => {
  process.exitCode = code;
});
