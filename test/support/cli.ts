import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { SandboxInfo } from "../../sandbox/sandbox";
import { ensurePulumiCli, PROJECT, type PulumiCli } from "../../tools/pulumiCli";

/** Name of this repository's Pulumi project, and namespace of its program's keys. */
const NAMESPACE = "audit-trail";

/** The Pulumi.yaml of a plain JavaScript program with the package installed, as the README has it. */
const OWN_PROJECT = `name: shop
runtime:
  name: nodejs
  options:
    typescript: false
plugins:
  providers:
    - name: neon-bemi
      path: node_modules/pulumi-neon-bemi
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

  private constructor(
    private readonly pulumi: PulumiCli,
    /** The temporary folder; holds the program, unless it is the repository's. */
    readonly folder: string,
    private readonly env: Readonly<Record<string, string>>,
    private readonly own: boolean,
  ) {}

  /**
   * A stack of this repository's program.
   *
   * @param env environment variables for the provider, e.g. NEON_API_URL
   */
  static async create(env: Readonly<Record<string, string>>): Promise<Cli> {
    // Not in the repository, because the CLI writes the passphrase's salt beside the project file.
    return Cli.make(env, `name: ${NAMESPACE}\nruntime: nodejs\n`, false);
  }

  /** A stack of a plain JavaScript program in a folder of its own, with this package among its node_modules. */
  static async ofProgram(env: Readonly<Record<string, string>>, source: string): Promise<Cli> {
    const cli = await Cli.make(env, OWN_PROJECT, true);
    const modules = path.join(cli.folder, "node_modules");
    await mkdir(path.join(modules, "@pulumi"), { recursive: true });
    await symlink(PROJECT, path.join(modules, "pulumi-neon-bemi"));
    const sdk = path.join("@pulumi", "pulumi");
    await symlink(path.join(PROJECT, "node_modules", sdk), path.join(modules, sdk));
    await writeFile(path.join(cli.folder, "package.json"), `{ "name": "shop", "main": "index.js" }\n`);
    await cli.program(source);
    return cli;
  }

  private static async make(
    env: Readonly<Record<string, string>>,
    project: string,
    own: boolean,
  ): Promise<Cli> {
    const pulumi = await ensurePulumiCli({ progress: () => undefined });
    const cli = new Cli(pulumi, await mkdtemp(path.join(tmpdir(), "neon-bemi-cli-")), env, own);
    for (const name of ["home", "tmp"]) await mkdir(path.join(cli.folder, name));
    await writeFile(path.join(cli.folder, "Pulumi.yaml"), project);
    await cli.moveTo("state");
    return cli;
  }

  /** Replaces the source of the program of {@link ofProgram}. */
  async program(source: string): Promise<void> {
    await writeFile(path.join(this.folder, "index.js"), source);
  }

  /** Makes an empty stack of the same name in another backend, and uses that one from now on. */
  async moveTo(backend: string): Promise<void> {
    this.#backend = backend;
    await mkdir(path.join(this.folder, backend));
    await this.inFolder(["stack", "init", this.stack]);
  }

  /** Replaces the stack's configuration. Keys without a namespace are the program's. Lists and flags need not be text. */
  async config(values: Readonly<Record<string, unknown>>): Promise<void> {
    const file = this.configFile;
    const salt = /^encryptionsalt:.*$/m.exec(await readFile(file, "utf8"))?.[0] ?? "";
    const entries = Object.entries(values).map(
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
    return this.own
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
      ...this.env,
    };
  }

  /** Removes the temporary folder. */
  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
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
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const ended = new Promise<Outcome>((resolve) => {
      child.once("close", (code) => {
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
