import { execFile } from "node:child_process";
import * as z from "zod";
import { UserError } from "../provider/contract/errors";
import { redact } from "../provider/contract/secrets";
import { declaredResource, plainValues, type DeclaredResource, type PulumiResource } from "./declared";

/** Largest output of the CLI that is read, in bytes: a state may be long. */
const LARGEST = 512 * 1024 * 1024;

/** The fields of a resource that are used here; whatever else Pulumi writes is ignored. */
const resource = z.object({
  urn: z.string(),
  type: z.string(),
  parent: z.string().optional(),
  provider: z.string().optional(),
  inputs: z.record(z.string(), z.unknown()).optional(),
  outputs: z.record(z.string(), z.unknown()).optional(),
  stackTrace: z.array(z.object({ sourcePosition: z.string().optional() })).optional(),
});

const exported = z.object({
  deployment: z.object({ resources: z.array(resource).nullish() }).nullish(),
});

const preview = z.object({
  steps: z
    .array(
      z.object({
        op: z.string(),
        urn: z.string(),
        oldState: resource.nullish(),
        newState: resource.nullish(),
      }),
    )
    .nullish(),
  diagnostics: z
    .array(
      z.object({
        urn: z.string().optional(),
        message: z.string().optional(),
        severity: z.string().optional(),
      }),
    )
    .nullish(),
});

const config = z.record(z.string(), z.object({ value: z.unknown().optional() }));

/** How the provider of some resources is configured, as far as the program gives it. */
export interface ProviderSettings {
  readonly apiKey?: string;
  readonly apiUrl?: string;
  readonly sslRootCert?: string;
}

/** What this package has in a stack. */
export interface StackContent {
  readonly resources: readonly DeclaredResource[];
  /** By the URN of the provider. */
  readonly providers: ReadonlyMap<string, ProviderSettings>;
}

/** What a preview of a stack says about this package. */
export interface StackPreview extends StackContent {
  /** Project and stack, from the URNs; empty in an empty preview. */
  readonly stack: { readonly project: string; readonly name: string };
  /** What the preview says under its resources, oldest first. */
  readonly messages: readonly { readonly urn: string; readonly text: string }[];
  /** Why the preview failed; empty if it did not. */
  readonly failures: readonly { readonly urn: string; readonly text: string }[];
}

/** Which stack the CLI works on. */
export interface StackChoice {
  /** Default: the stack that is selected in the project. */
  readonly stack?: string;
  /** Folder of the Pulumi project. Default: the current one. */
  readonly cwd?: string;
  /** Environment variables of the CLI, which is looked for in `PATH`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * The state of a stack, with secrets in plain text: they are kept in memory only.
 *
 * @throws UserError if the CLI cannot be run, or fails
 */
export async function exportStack(choice: StackChoice): Promise<StackContent> {
  const { stdout } = await pulumi(["stack", "export", "--show-secrets"], choice, [0]);
  return readExport(stdout);
}

/** Reads what `pulumi stack export` prints. */
export function readExport(text: string): StackContent {
  const { deployment } = parsed(exported, text, "The state that `pulumi stack export` printed");
  return contentOf((deployment?.resources ?? []).map((each) => ({ resource: each })));
}

/**
 * Runs `pulumi preview --json` of a stack. A preview that fails is an answer too.
 *
 * @throws UserError if the CLI cannot be run, or prints no preview
 */
export async function previewStack(choice: StackChoice): Promise<StackPreview> {
  const { stdout, stderr } = await pulumi(["preview", "--json"], choice, [0, 1, 255]);
  if (stdout.trim() === "")
    throw new UserError(`\`pulumi preview --json\` printed no preview:\n${redact(stderr).trim()}`);
  return readPreview(stdout, "The preview that `pulumi preview --json` printed");
}

/** Reads what `pulumi preview --json` prints. @param what - names the text, for an error */
export function readPreview(text: string, what: string): StackPreview {
  const { steps, diagnostics } = parsed(preview, text, what);
  // A resource is first read and then changed, so it may have two steps: the later one is the plan, and the state that
  // it starts from is what the earlier one has read.
  const latest = new Map<string, { resource: PulumiResource; operation: string }>();
  for (const { op, urn, oldState, newState } of steps ?? []) {
    const before = oldState ?? undefined;
    const state = newState ?? before;
    if (state === undefined) continue;
    const outputs = op === "refresh" ? state.outputs : (before?.outputs ?? {});
    latest.set(urn, { resource: { ...before, ...state, outputs }, operation: op });
  }
  const said = (diagnostics ?? []).map(({ urn = "", message = "", severity }) => ({
    urn,
    severity,
    text: redact(message.replace(/^error: (Preview failed: )?/, "").trim()),
  }));
  const failures = said.filter(({ severity }) => severity === "error");
  const named = failures.filter(({ urn }) => urn !== "");
  const [, stack = "", project = ""] =
    /^urn:pulumi:([^:]+)::([^:]+)::/.exec([...latest.keys()][0] ?? "") ?? [];
  return {
    ...contentOf([...latest.values()]),
    stack: { project, name: stack },
    messages: said.filter(({ severity, urn }) => severity !== "error" && urn !== ""),
    // The engine repeats at the end, without a resource, that the preview failed.
    failures: named.length > 0 ? named : failures,
  };
}

function contentOf(
  found: readonly { readonly resource: PulumiResource; readonly operation?: string }[],
): StackContent {
  const providers = new Map<string, ProviderSettings>();
  for (const { resource: each } of found)
    if (each.type === "pulumi:providers:neon-bemi")
      providers.set(each.urn, settingsIn(plainValues(each.inputs)));
  return {
    resources: found.flatMap(({ resource: each, operation }) => declaredResource(each, operation) ?? []),
    providers,
  };
}

function settingsIn(inputs: Readonly<Record<string, unknown>>): ProviderSettings {
  const text = (key: keyof ProviderSettings): ProviderSettings => {
    const value = inputs[key];
    return typeof value === "string" ? { [key]: value } : {};
  };
  return { ...text("apiKey"), ...text("apiUrl"), ...text("sslRootCert") };
}

/** The configuration of the stack's default provider, with its API key in plain text. */
export async function defaultProvider(choice: StackChoice): Promise<ProviderSettings> {
  const { stdout } = await pulumi(["config", "--json", "--show-secrets"], choice, [0]);
  const entries = Object.entries(parsed(config, stdout, "The configuration that `pulumi config` printed"));
  return settingsIn(
    Object.fromEntries(entries.map(([key, { value }]) => [key.replace(/^neon-bemi:/, ""), value])),
  );
}

function parsed<Schema extends z.ZodType>(schema: Schema, text: string, what: string): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError(`${what} is no JSON. Make it with \`pulumi preview --json\`.`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new UserError(
    `${what} does not look as this version expects it: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}. Use a Pulumi CLI from 3.216.0 on.`,
  );
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the Pulumi CLI. Any exit code but the accepted ones is an error with what the CLI said. */
function pulumi(
  args: readonly string[],
  { stack, cwd, environment }: StackChoice,
  accepted: readonly number[],
): Promise<Ended> {
  const all = [
    ...args,
    "--non-interactive",
    "--color",
    "never",
    ...(stack === undefined ? [] : ["--stack", stack]),
  ];
  return new Promise((resolve, reject) => {
    execFile("pulumi", all, { cwd, env: environment, maxBuffer: LARGEST }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (code === "ENOENT")
        reject(
          new UserError(
            "The command pulumi was not found. Install the Pulumi CLI, or put its folder into PATH; without it, give the trail by --project-id and --database.",
          ),
        );
      else if (typeof code === "number" && accepted.includes(code)) resolve({ code, stdout, stderr });
      else reject(new UserError(`\`pulumi ${args.join(" ")}\` failed:\n${redact(stderr || stdout).trim()}`));
    });
  });
}
