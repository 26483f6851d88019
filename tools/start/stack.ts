import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  LocalWorkspace,
  PulumiCommand,
  Stack,
  type DiagnosticEvent,
  type EngineEvent,
  type OpType,
} from "@pulumi/pulumi/automation";
import { UserError } from "../../provider/contract/errors";
import type { Progress } from "./steps";

export const STACK_NAME = "sandbox";

/** Not among them: looking (`refresh`, `read`), and leaving as it is (`same`). */
const CHANGES: ReadonlySet<OpType> = new Set<OpType>(["create", "update", "replace", "delete"]);

export interface DemoStackOptions {
  /** Where the Pulumi CLI is installed: the folder above its `bin`. */
  readonly engineRoot: string;
  /** What the engine needs in its environment. */
  readonly engineEnv: Readonly<Record<string, string>>;
  /** The folder with Pulumi.yaml. */
  readonly project: string;
  /** Values of the stack configuration, without the namespace. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Variables for the program and the provider: the API's URL and key, the CA. */
  readonly env: Readonly<Record<string, string>>;
  readonly interrupted: AbortSignal;
}

/** One resource of an operation, e.g. `create Publication audit-trail-publication`. */
export interface ResourceStep {
  readonly operation: OpType;
  /** Without module and package, e.g. `Publication`. */
  readonly type: string;
  readonly name: string;
}

/** What an operation did, and what it told the user meanwhile. */
export interface Outcome {
  readonly steps: readonly ResourceStep[];
  readonly notes: readonly string[];
}

/**
 * The repository's program as a stack in a folder of its own: state, configuration and Pulumi's home are temporary,
 * and nothing is written into the repository.
 */
export class DemoStack {
  private busy: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly stack: Stack,
    private readonly folder: string,
    /** What one needs in the environment to use the stack with the CLI. */
    readonly environment: Readonly<Record<string, string>>,
    private readonly interrupted: AbortSignal,
  ) {}

  static async create(options: DemoStackOptions): Promise<DemoStack> {
    const folder = await mkdtemp(path.join(tmpdir(), "pulumi-neon-bemi-start-"));
    try {
      const environment = {
        ...options.env,
        PULUMI_BACKEND_URL: `file://${path.join(folder, "state")}`,
        PULUMI_CONFIG_PASSPHRASE: randomBytes(12).toString("hex"),
        PULUMI_HOME: path.join(folder, "home"),
      };
      const TMPDIR = path.join(folder, "tmp");
      await mkdir(path.join(folder, "state"));
      await mkdir(TMPDIR);
      const common = {
        pulumiCommand: await PulumiCommand.get({ root: options.engineRoot }),
        // The CLI and its plugins leave files in the folder for temporary ones.
        envVars: { ...options.engineEnv, ...environment, TMPDIR },
      };
      const program = await LocalWorkspace.create({ ...common, workDir: options.project });
      const { name: project } = await program.projectSettings();
      // The stack is made from a folder that holds nothing but the project's name and the configuration: the CLI
      // writes the passphrase's salt beside the project file.
      const config = Object.fromEntries(
        Object.entries(options.config).map(([key, value]) => [`${project}:${key}`, value]),
      );
      await LocalWorkspace.createStack(
        { stackName: STACK_NAME, workDir: folder },
        {
          ...common,
          projectSettings: { name: project, runtime: "nodejs" },
          stackSettings: { [STACK_NAME]: { config } },
        },
      );
      const stack = await Stack.select(STACK_NAME, program);
      return new DemoStack(stack, folder, environment, options.interrupted);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw words("pulumi stack init", error, []);
    }
  }

  /** Path of the stack's configuration file, for `--config-file`. */
  get configFile(): string {
    return path.join(this.folder, `Pulumi.${STACK_NAME}.yaml`);
  }

  async preview(progress: Progress): Promise<Outcome> {
    return await this.watch("pulumi preview", progress, (options) => this.stack.preview(options));
  }

  async up(progress: Progress): Promise<Outcome> {
    return await this.watch("pulumi up", progress, (options) => this.stack.up(options));
  }

  async destroy(progress: Progress): Promise<Outcome> {
    return await this.watch("pulumi destroy", progress, (options) => this.stack.destroy(options));
  }

  /** The stack's outputs in plain text, secret ones included. */
  async outputs(): Promise<Record<string, unknown>> {
    const outputs = await this.stack.outputs();
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { value }]): [string, unknown] => [name, value]),
    );
  }

  /** Waits for the CLI to end, if it is at work, and removes every file. */
  async close(): Promise<void> {
    await this.busy.catch(() => undefined);
    await rm(this.folder, { recursive: true, force: true });
  }

  private async watch(
    command: string,
    progress: Progress,
    run: (options: {
      color: "never";
      configFile: string;
      showSecrets: false;
      signal: AbortSignal;
      onEvent: (event: EngineEvent) => void;
    }) => Promise<unknown>,
  ): Promise<Outcome> {
    const steps: ResourceStep[] = [];
    const notes = new Set<string>();
    const errors: string[] = [];
    const onEvent = (event: EngineEvent): void => {
      const { resourcePreEvent, diagnosticEvent } = event;
      if (resourcePreEvent !== undefined) {
        const { op, type, urn } = resourcePreEvent.metadata;
        if (!CHANGES.has(op) || type === "pulumi:pulumi:Stack" || type.startsWith("pulumi:providers:"))
          return;
        const step = { operation: op, type: lastPart(type), name: lastPart(urn) };
        steps.push(step);
        progress(`${step.operation} ${step.type} (${steps.length})`);
      }
      switch (diagnosticEvent?.severity) {
        case "error":
          errors.push(diagnosis(diagnosticEvent));
          break;
        case "info":
        case "warning":
          notes.add(diagnosis(diagnosticEvent));
          break;
        default:
          // Debug messages come too, though their type is not declared; they hold outputs in plain text, secret or not.
          break;
      }
    };
    const running = run({
      color: "never",
      configFile: this.configFile,
      // Else the history is asked for with its secrets, which the CLI would decrypt by the repository's configuration.
      showSecrets: false,
      signal: this.interrupted,
      onEvent,
    });
    this.busy = running;
    try {
      await running;
    } catch (error) {
      throw words(command, error, errors);
    }
    return { steps, notes: [...notes] };
  }
}

function lastPart(colonSeparated: string): string {
  return colonSeparated.slice(colonSeparated.lastIndexOf(":") + 1);
}

/** The message, with the resource it is about where it is not the program as a whole. */
function diagnosis({ urn = "", message }: DiagnosticEvent): string {
  const text = message.replace(/<\{%.*?%\}>/g, "").trim();
  return text === "" || urn === "" || urn.includes("::pulumi:pulumi:Stack::")
    ? text
    : `${lastPart(urn)}: ${text}`;
}

/** What the CLI said went wrong, without its frame. */
function words(command: string, error: unknown, diagnostics: readonly string[]): UserError {
  // The stack's own verdict repeats that something failed.
  const told = diagnostics.filter((text) => !/^$|^(update|preview|destroy) failed$/.test(text));
  if (told.length > 0) return new UserError(`${command} failed: ${[...new Set(told)].join("\n")}`);
  const message = error instanceof Error ? error.message : String(error);
  const stderr = /stderr: ([\s\S]*?)(?:\n err\?:|$)/.exec(message)?.[1]?.trim();
  return new UserError(`${command} failed: ${stderr || message}`);
}
