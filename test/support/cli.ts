import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { ensurePulumiCli, PROJECT, type PulumiCli } from "../../tools/pulumiCli";

/** How a command of the CLI ended. */
export interface Outcome {
  /** Exit code; `null` when a signal ended it. */
  readonly code: number | null;
  /** Stdout and stderr together, in the order in which they were printed. */
  readonly output: string;
}

/** A stack of this repository's program, driven by the real Pulumi CLI. Its state is in a temporary folder. */
export class Cli {
  private constructor(
    private readonly pulumi: PulumiCli,
    private readonly folder: string,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  /** @param env environment variables for the provider, e.g. NEON_API_URL */
  static async create(env: Readonly<Record<string, string>>): Promise<Cli> {
    const pulumi = await ensurePulumiCli({ progress: () => undefined });
    const folder = await mkdtemp(path.join(tmpdir(), "neon-bemi-cli-"));
    const cli = new Cli(pulumi, folder, env);
    for (const name of ["state", "home", "tmp"]) await mkdir(path.join(folder, name));
    // Not in the repository, because the CLI writes the passphrase's salt beside the project file.
    await writeFile(path.join(folder, "Pulumi.yaml"), "name: neon-bemi\nruntime: nodejs\n");
    await cli.must(["stack", "init", "test"], folder);
    return cli;
  }

  /** Replaces the stack's configuration. Lists and flags need not be text. */
  async config(values: Readonly<Record<string, unknown>>): Promise<void> {
    const file = this.configFile;
    const salt = /^encryptionsalt:.*$/m.exec(await readFile(file, "utf8"))?.[0] ?? "";
    const entries = Object.entries(values).map(([key, value]) => [`neon-bemi:${key}`, value] as const);
    // The file is YAML, which includes JSON.
    await writeFile(file, `${salt}\nconfig: ${JSON.stringify(Object.fromEntries(entries))}\n`);
  }

  /** Runs `pulumi ARGS` in the repository, on this stack. */
  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    return this.spawn([...args, "--stack", "test", "--config-file", this.configFile], PROJECT, env);
  }

  /** Runs `pulumi ARGS` as {@link run} does, or in another folder. Throws when the command fails. */
  async must(args: readonly string[], cwd?: string): Promise<string> {
    const { code, output } = await (cwd === undefined ? this.run(args) : this.spawn(args, cwd));
    if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code ?? "a signal"}:\n${output}`);
    return output;
  }

  /** The stack's state as JSON text, secrets encrypted. */
  async state(): Promise<string> {
    const file = path.join(this.folder, "state.json");
    await this.spawnOk(["stack", "export", "--stack", "test", "--file", file]);
    return readFile(file, "utf8");
  }

  /** One output of the stack, with secrets in plain text. */
  async output(name: string): Promise<unknown> {
    const args = ["stack", "output", name, "--json", "--show-secrets", "--stack", "test"];
    return JSON.parse(await this.spawnOk(args)) as unknown;
  }

  /** Removes the temporary folder. */
  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  private get configFile(): string {
    return path.join(this.folder, "Pulumi.test.yaml");
  }

  private async spawnOk(args: readonly string[]): Promise<string> {
    const { code, output } = await this.spawn(args, this.folder);
    if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code ?? "a signal"}:\n${output}`);
    return output;
  }

  private async spawn(
    args: readonly string[],
    cwd: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Outcome> {
    const child = spawn(this.pulumi.command, [...args, "--non-interactive", "--color", "never"], {
      cwd,
      env: {
        ...process.env,
        ...this.pulumi.env,
        PULUMI_BACKEND_URL: `file://${path.join(this.folder, "state")}`,
        PULUMI_HOME: path.join(this.folder, "home"),
        PULUMI_CONFIG_PASSPHRASE: "test",
        TMPDIR: path.join(this.folder, "tmp"),
        ...this.env,
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { code, output };
  }
}
