import { spawn } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import { PROJECT } from "../../tools/pulumiCli/project";
import { scratch, write } from "../support/scratch";

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A small project with copies of the tools, a provider of two files, and a `start` that prints its arguments. */
export function smallProject(): string {
  const project = scratch();
  for (const tool of ["run.mjs", "build.mjs", "lock.mjs", "child.mjs"]) {
    cpSync(path.join(PROJECT, "tools", tool), path.join(project, "tools", tool));
  }
  for (const file of ["contract/errors.ts", "plugin/freshness.ts"]) {
    cpSync(path.join(PROJECT, "provider", file), path.join(project, "provider", file));
  }
  const start =
    "export const main = (args: string[]) => { console.log(args.join()); return Promise.resolve(7); };";
  write(path.join(project, "tools", "start", "main.ts"), start);
  write(path.join(project, "sandbox", "roles.sql"), "select 1;");
  const compilerOptions = {
    module: "node20",
    target: "es2022",
    types: ["node"],
    skipLibCheck: true,
    rootDir: ".",
  };
  write(path.join(project, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  write(
    path.join(project, "tsconfig.build.json"),
    JSON.stringify({
      extends: "./tsconfig.json",
      compilerOptions: {
        outDir: "dist",
        declaration: true,
        incremental: true,
        tsBuildInfoFile: "dist/.tsbuildinfo",
      },
      include: ["components", "provider", "sandbox", "tools", "bench"],
    }),
  );
  write(path.join(project, "package.json"), '{"name":"small","type":"commonjs"}');
  return project;
}

/** Links what the compiler needs into the small project, so that no install is needed. */
export function linkDependencies(project: string): void {
  const modules = path.join(project, "node_modules");
  mkdirSync(path.join(modules, "@types"), { recursive: true });
  for (const name of ["typescript", "@types/node", "undici-types"]) {
    symlinkSync(path.join(PROJECT, "node_modules", name), path.join(modules, name));
  }
}

/** Runs Node in the project to its end. */
export function node(
  project: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: project, env: { ...process.env, ...env } });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.once("error", reject);
    child.once("close", (code) => {
      resolve({ code, stdout, stderr });
    });
  });
}
