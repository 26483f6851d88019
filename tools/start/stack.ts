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
  type StepEventMetadata,
} from "@pulumi/pulumi/automation";
import { isDrift } from "../../provider/contract/drift";
import { UserError } from "../../provider/contract/errors";
import type { Progress } from "./steps";

/** Name of the stack that `npm start` creates. */
export const STACK_NAME = "sandbox";

/** The operations that change a resource; not `refresh` and `read`, which only read, and `same`. */
const CHANGES: ReadonlySet<OpType> = new Set<OpType>(["create", "update", "replace", "delete"]);

interface DemoStackOptions {
  /** The folder above the `bin` of the Pulumi CLI. */
  readonly cliRoot: string;
  /** Variables that the CLI needs in its environment. */
  readonly cliEnv: Readonly<Record<string, string>>;
  /** The folder with Pulumi.yaml. */
  readonly project: string;
  /** Values of the stack configuration. The keys have no namespace. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Variables for the program and the provider: URL and key of the API, path of the CA. */
  readonly env: Readonly<Record<string, string>>;
  /** When it aborts, the running operation is cancelled. */
  readonly interrupted: AbortSignal;
}

/** One resource of an operation, e.g. `create Publication trail-publication`. */
interface ResourceStep {
  readonly operation: OpType;
  /** Type without package and module, e.g. `Publication`. */
  readonly type: string;
  readonly name: string;
  /** What has drifted, by its name, e.g. `notPublished: public.orders`. */
  readonly drift: readonly string[];
}

/** The changes that an operation made, and the messages that it printed for the user. */
export interface Outcome {
  readonly steps: readonly ResourceStep[];
  readonly notes: readonly string[];
}

/**
 * The repository's program as a stack. Its state, its configuration and Pulumi's home are in a temporary folder, and
 * nothing is written into the repository.
 */
export class DemoStack {
  private busy: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly stack: Stack,
    private readonly folder: string,
    /** Variables with which the CLI can use the stack, e.g. from another terminal. */
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
        pulumiCommand: await PulumiCommand.get({ root: options.cliRoot }),
        envVars: {
          ...options.cliEnv,
          ...environment,
          // The CLI and its plugins leave temporary files behind, so they get their own folder for them.
          TMPDIR,
          // Otherwise the engine first tries to download the plugin of every package in the repository's node_modules.
          // The program needs none of them, and without the network the attempts take seconds per command.
          PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
        },
      };
      const program = await LocalWorkspace.create({ ...common, workDir: options.project });
      const { name: project } = await program.projectSettings();
      // The CLI writes the passphrase's salt beside the project file. So create the stack in a folder that has only a
      // project file with the project's name.
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

  /** The stack's outputs in plain text, including the secret ones. */
  async outputs(): Promise<Record<string, unknown>> {
    const outputs = await this.stack.outputs();
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { value }]): [string, unknown] => [name, value]),
    );
  }

  /** Waits until the CLI has ended, if it is running, and removes every file. */
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
        const drift = driftOf(resourcePreEvent.metadata);
        const step = { operation: op, type: lastPart(type), name: lastPart(urn), drift };
        steps.push(step);
        progress(`${step.operation} ${step.type} (${steps.length})`);
      }
      switch (diagnosticEvent?.severity) {
        case "error":
          errors.push(diagnosis(diagnosticEvent));
          break;
        case "info":
        case "warning":
          // Progress of a resource that is at work is out of date at once, so it is no note.
          if (diagnosticEvent.ephemeral === true) progress(diagnosis(diagnosticEvent));
          else notes.add(diagnosis(diagnosticEvent));
          break;
        default:
          // Debug messages arrive here too, though the type does not declare them. They contain secret outputs in plain
          // text, so they are never shown.
          break;
      }
    };
    const running = run({
      color: "never",
      configFile: this.configFile,
      // With secrets, the CLI would read the history and decrypt it with the repository's configuration, which has
      // another salt.
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

function driftOf({ detailedDiff, old }: StepEventMetadata): string[] {
  const outputs = new Map<string, unknown>(Object.entries(old?.outputs ?? {}));
  // The engine sends null for a step without differences, though the type does not declare it.
  return Object.keys(detailedDiff ?? {})
    .filter(isDrift)
    .map((name) => `${name}: ${String(outputs.get(name))}`);
}

function lastPart(colonSeparated: string): string {
  return colonSeparated.slice(colonSeparated.lastIndexOf(":") + 1);
}

/** The message. If it is about a resource, the name of the resource comes first. */
function diagnosis({ urn = "", message }: DiagnosticEvent): string {
  const text = message.replace(/<\{%.*?%\}>/g, "").trim();
  return text === "" || urn === "" || urn.includes("::pulumi:pulumi:Stack::")
    ? text
    : `${lastPart(urn)}: ${text}`;
}

/** The error that the CLI reported, without the text around it. */
function words(command: string, error: unknown, diagnostics: readonly string[]): UserError {
  // The stack adds a message that only repeats that the operation failed.
  const told = diagnostics.filter((text) => !/^$|^(update|preview|destroy) failed$/.test(text));
  if (told.length > 0) return new UserError(`${command} failed: ${[...new Set(told)].join("\n")}`);
  const message = error instanceof Error ? error.message : String(error);
  const stderr = /stderr: ([\s\S]*?)(?:\n err\?:|$)/.exec(message)?.[1]?.trim();
  return new UserError(`${command} failed: ${stderr || message}`);
}
