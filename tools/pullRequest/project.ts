import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PROJECT } from "../pulumiCli";
import type { Cleanup } from "../start/cleanup";

const EXAMPLE = path.join(PROJECT, "examples", "pull-request");

/** The packages that `npm install pulumi-neon-bemi @pulumi/pulumi` brings, and where they are in this repository. */
const PACKAGES = {
  "pulumi-neon-bemi": PROJECT,
  "@pulumi/pulumi": path.join(PROJECT, "node_modules", "@pulumi", "pulumi"),
  "@types": path.join(PROJECT, "node_modules", "@types"),
};

/** Makes a copy of the example in a folder of its own, with this package installed, as a team has it. */
export async function projectOfExample(cleanup: Cleanup): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "pulumi-neon-bemi-pull-request-"));
  cleanup.add(() => rm(folder, { recursive: true, force: true }));
  for (const [name, source] of Object.entries(PACKAGES)) {
    const target = path.join(folder, "node_modules", name);
    await mkdir(path.dirname(target), { recursive: true });
    await symlink(source, target);
  }
  const program = await readFile(path.join(EXAMPLE, "index.ts"), "utf8");
  await writeFile(path.join(folder, "index.ts"), program.replace("../../components", "pulumi-neon-bemi"));
  await writeFile(path.join(folder, "package.json"), '{ "name": "pull-request", "main": "index.ts" }\n');
  await copyFile(path.join(EXAMPLE, "tsconfig.json"), path.join(folder, "tsconfig.json"));
  await copyFile(path.join(EXAMPLE, "Pulumi.yaml"), path.join(folder, "Pulumi.yaml"));
  return folder;
}
