import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { SandboxInfo } from "../../sandbox/sandbox";
import { endTree } from "./processes";
import { trailArgs } from "./trailRole";
import { ensurePulumiCli, PROJECT, type PulumiCli } from "../../tools/pulumiCli";

/** Name of this repository's Pulumi project, and namespace of its program's keys. */
const NAMESPACE = "audit-trail";

/** In what a program of one's own is written. */
type Language = "javascript" | "typescript" | "other";

/** The Pulumi.yaml of a program with the package installed, as the README has it. */
const ownProject = (language: Language): string => `name: shop
runtime:
  name: nodejs
  options:
    typescript: ${language === "typescript"}
plugins:
  providers:
    - name: neon-bemi
      path: node_modules/pulumi-neon-bemi
`;

/** The tsconfig.json of a TypeScript program. */
const TSCONFIG = `{
  "compilerOptions": { "strict": true, "target": "es2022", "module": "node20", "types": ["node"], "skipLibCheck": true, "noEmit": true }
}
`;

/** How a command of the CLI ended. */
export interface Outcome {
  /** Exit code; `null` when a signal ended it. */
  readonly code: number | null;
  /** Stdout and stderr together, in the order in which they were printed. */
  readonly output: string;
}

/** A command of the CLI that may still be running. */
export interface Running {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  readonly printed: () => string;
  readonly ended: Promise<Outcome>;
}

/** A stack, driven by the real Pulumi CLI. Its state is in a temporary folder. */
export class Cli {
  /** Name of the stack that the commands are about. */
  stack = "test";
  #backend = "state";
  /** The commands that have not ended. */
  readonly #running = new Set<ChildProcess>();

  private constructor(
    private readonly pulumi: PulumiCli,
    /** The temporary folder; holds the program, unless it is the repository's. */
    readonly folder: string,
    private readonly env: Readonly<Record<string, string>>,
    /** `undefined` for this repository's program. */
    private readonly language: Language | undefined,
  ) {}

  /**
   * A stack of this repository's program.
   *
   * @param env environment variables for the provider, e.g. NEON_API_URL
   */
  static async create(env: Readonly<Record<string, string>>): Promise<Cli> {
    // Not in the repository, because the CLI writes the passphrase's salt beside the project file.
    return Cli.make(env, `name: ${NAMESPACE}\nruntime: nodejs\n`, undefined);
  }

  /** A stack of a program in a folder of its own, with this package among its node_modules. */
  static async ofProgram(
    env: Readonly<Record<string, string>>,
    source: string,
    language: Language = "javascript",
  ): Promise<Cli> {
    const cli = await Cli.make(env, ownProject(language), language);
    await cli.install();
    await writeFile(path.join(cli.folder, "package.json"), `{ "name": "shop", "main": "${cli.main}" }\n`);
    await writeFile(path.join(cli.folder, "tsconfig.json"), TSCONFIG);
    await cli.program(source);
    return cli;
  }

  /**
   * A stack of one of the TypeScript programs in `examples`, with this package among its node_modules.
   *
   * @param name name of the folder
   */
  static async ofExample(env: Readonly<Record<string, string>>, name: string): Promise<Cli> {
    const folder = path.join(PROJECT, "examples", name);
    const files: Record<string, string> = {};
    for (const file of ["Pulumi.yaml", "package.json", "index.ts"])
      files[file] = await readFile(path.join(folder, file), "utf8");
    const cli = await Cli.ofProject(env, files);
    await cli.install();
    return cli;
  }

  /**
   * A stack of a project in a folder of its own.
   *
   * @param env environment variables, for the provider and for what runs the program
   * @param files content of the project's files by name, `Pulumi.yaml` among them
   */
  static async ofProject(
    env: Readonly<Record<string, string>>,
    files: Readonly<Record<string, string>>,
  ): Promise<Cli> {
    const { "Pulumi.yaml": project = "", ...others } = files;
    const cli = await Cli.make(env, project, "other");
    await cli.write(others);
    return cli;
  }

  private static async make(
    env: Readonly<Record<string, string>>,
    project: string,
    language: Language | undefined,
  ): Promise<Cli> {
    const pulumi = await ensurePulumiCli({ progress: () => undefined });
    const cli = new Cli(pulumi, await mkdtemp(path.join(tmpdir(), "neon-bemi-cli-")), env, language);
    for (const name of ["home", "tmp"]) await mkdir(path.join(cli.folder, name));
    await writeFile(path.join(cli.folder, "Pulumi.yaml"), project);
    await cli.moveTo("state");
    return cli;
  }

  /** Replaces the source of the program of {@link ofProgram}. */
  async program(source: string): Promise<void> {
    await this.write({ [this.main]: source });
  }

  /** Writes files into the temporary folder, over those that exist. */
  async write(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, content] of Object.entries(files))
      await writeFile(path.join(this.folder, name), content);
  }

  /** What `npm install` does: this package and what a program needs beside it, in node_modules. */
  private async install(): Promise<void> {
    const modules = path.join(this.folder, "node_modules");
    await mkdir(path.join(modules, "@pulumi"), { recursive: true });
    await symlink(PROJECT, path.join(modules, "pulumi-neon-bemi"));
    for (const name of [path.join("@pulumi", "pulumi"), "@types"])
      await symlink(path.join(PROJECT, "node_modules", name), path.join(modules, name));
  }

  /** Makes an empty stack of the same name in another backend, and uses that one from now on. */
  async moveTo(backend: string): Promise<void> {
    this.#backend = backend;
    await mkdir(path.join(this.folder, backend));
    await this.inFolder(["stack", "init", this.stack]);
  }

  /**
   * Replaces the stack's configuration. Keys without a namespace are the program's: those of this repository's program are
   * completed by {@link trailArgs}. Lists and flags need not be text.
   */
  async config(values: Readonly<Record<string, unknown>>): Promise<void> {
    const file = this.configFile;
    const salt = /^encryptionsalt:.*$/m.exec(await readFile(file, "utf8"))?.[0] ?? "";
    const complete = this.language === undefined ? trailArgs(values) : values;
    const entries = Object.entries(complete).map(
      ([key, value]) => [key.includes(":") ? key : `${NAMESPACE}:${key}`, value] as const,
    );
    // The file is YAML, which includes JSON.
    await writeFile(file, `${salt}\nconfig: ${JSON.stringify(Object.fromEntries(entries))}\n`);
  }

  /** Runs `pulumi ARGS` where the program is, on this stack. */
  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    return this.start(args, env).ended;
  }

  /** Starts what {@link run} runs. */
  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
    const onStack = [...args, "--stack", this.stack];
    return this.language !== undefined
      ? this.spawn(onStack, this.folder, env)
      : this.spawn([...onStack, "--config-file", this.configFile], PROJECT, env);
  }

  /** Runs `pulumi ARGS` as {@link run} does. Throws when the command fails. */
  async must(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    return successful(args, await this.run(args, env));
  }

  /** Runs `pulumi ARGS` in the temporary folder, without naming a stack. Throws when the command fails. */
  async inFolder(args: readonly string[]): Promise<string> {
    return successful(args, await this.spawn(args, this.folder).ended);
  }

  /** The stack's state as JSON text, secrets encrypted. */
  async state(): Promise<string> {
    const file = path.join(this.folder, "state.json");
    await this.inFolder(["stack", "export", "--stack", this.stack, "--file", file]);
    return readFile(file, "utf8");
  }

  /** One output of the stack, with secrets in plain text. */
  async output(name: string): Promise<unknown> {
    const args = ["stack", "output", name, "--json", "--show-secrets", "--stack", this.stack];
    return JSON.parse(await this.inFolder(args)) as unknown;
  }

  /** The environment variables of the commands, for a program that runs `pulumi` itself. */
  get environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      ...this.pulumi.env,
      PATH: [path.dirname(this.pulumi.command), process.env["PATH"] ?? ""].join(path.delimiter),
      PULUMI_BACKEND_URL: `file://${path.join(this.folder, this.#backend)}`,
      PULUMI_HOME: path.join(this.folder, "home"),
      PULUMI_CONFIG_PASSPHRASE: "test",
      TMPDIR: path.join(this.folder, "tmp"),
      // Otherwise the engine first tries to download the plugin of every package in the repository's node_modules. The
      // program needs none of them, and the attempts take seconds per command.
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      ...this.env,
    };
  }

  /**
   * Removes the temporary folder. Ends every command that still runs, after a test that failed, with all that it has
   * started: a program whose engine is gone goes on, and takes more and more memory.
   */
  async remove(): Promise<void> {
    for (const { pid } of this.#running) endTree(pid);
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Name of the file with the source of a program of its own. */
  private get main(): string {
    return this.language === "typescript" ? "index.ts" : "index.js";
  }

  private get configFile(): string {
    return path.join(this.folder, `Pulumi.${this.stack}.yaml`);
  }

  private spawn(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): Running {
    const child = spawn(this.pulumi.command, [...args, "--non-interactive", "--color", "never"], {
      cwd,
      env: { ...this.environment, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#running.add(child);
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const ended = new Promise<Outcome>((resolve) => {
      child.once("close", (code) => {
        this.#running.delete(child);
        resolve({ code, output });
      });
    });
    return { child, printed: () => output, ended };
  }
}

/** The environment variables by which the provider reaches a sandbox. */
export function environmentOf({ apiUrl, apiKey, sslRootCert }: SandboxInfo): Record<string, string> {
  return { NEON_API_URL: apiUrl, NEON_API_KEY: apiKey, PGSSLROOTCERT: sslRootCert };
}

function successful(args: readonly string[], { code, output }: Outcome): string {
  if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code ?? "a signal"}:\n${output}`);
  return output;
}

/** The errors that a command has printed, each on one line, without the engine's "preview failed". */
export function errorsIn(output: string): string[] {
  const lines = output.slice(output.indexOf("Diagnostics:")).split("\n");
  const errors: string[] = [];
  let inError = false;
  for (const line of lines) {
    if (/^ {4}error: /.test(line)) errors.push(line.trim());
    else if (inError && /^ {6}/.test(line)) errors.push(`${errors.pop() ?? ""} ${line.trim()}`);
    inError = /^ {4}error: /.test(line) || (inError && /^ {6}/.test(line));
  }
  return errors.filter((error) => !/^error: (preview|update) failed$/.test(error));
}
