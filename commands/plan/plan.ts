import { readFileSync } from "node:fs";
import { UserError } from "../../provider/contract/errors";
import type { Run } from "../../provider/contract/kind";
import { VERSION } from "../../provider/plugin/version";
import type { PlanOptions, TrailFacts } from "../../report/plan/facts";
import { renderJson } from "../../report/plan/json";
import { renderMarkdown } from "../../report/plan/markdown";
import { planReport, type PlanReport } from "../../report/plan/report";
import { renderSarif } from "../../report/plan/sarif";
import { renderText } from "../../report/plan/text";
import { trailsOf, type DeclaredTrail } from "../declared";
import {
  defaultProvider,
  previewStack,
  readPreview,
  type ProviderSettings,
  type StackChoice,
  type StackPreview,
} from "../pulumi";
import { see } from "./look";
import { operationsOf, settingsOf } from "./settings";

/** How a report can be printed. */
export const PLAN_FORMATS = {
  text: renderText,
  md: renderMarkdown,
  json: renderJson,
  sarif: (report: PlanReport) => renderSarif(report, VERSION),
} as const;

export interface PlanCommand {
  /** A stack to preview, or a file with a preview. */
  readonly source: StackChoice | { readonly file: string };
  readonly format: keyof typeof PLAN_FORMATS;
  /** Whether warnings count as a failure. */
  readonly strict: boolean;
  readonly report: PlanOptions;
}

/**
 * Reports what the next up of a stack does.
 *
 * @param runFor what the kinds work with, for the configuration of a provider
 * @returns what to print, and the exit code: 0 clean, 1 warnings when strict, 2 blocking
 * @throws UserError if there is no preview to report about
 */
export async function plan(
  { source, format, strict, report: options }: PlanCommand,
  runFor: (settings: ProviderSettings) => Run,
): Promise<{ readonly output: string; readonly exitCode: number }> {
  const preview = "file" in source ? fromFile(source.file) : await previewStack(source);
  const fallback = "file" in source ? {} : await defaultProvider(source);
  const runs = new Map<string, Run>();
  const runOf = (trail: DeclaredTrail): Run => {
    const settings = { ...fallback, ...preview.providers.get(trail.resources[0]?.provider ?? "") };
    const key = JSON.stringify(settings);
    const run = runs.get(key) ?? runFor(settings);
    runs.set(key, run);
    return run;
  };
  const trails: TrailFacts[] = [];
  for (const trail of trailsOf(preview.resources)) {
    const settings = settingsOf(trail, preview.resources);
    trails.push(factsOf(trail, preview, settings, await see(settings, () => runOf(trail))));
  }
  const report = planReport({ stack: preview.stack, trails, failures: otherFailures(preview) }, options);
  const exitCode = report.verdict === "blocked" ? 2 : report.verdict === "warnings" && strict ? 1 : 0;
  return { output: PLAN_FORMATS[format](report), exitCode };
}

function factsOf(
  trail: DeclaredTrail,
  { messages, failures }: StackPreview,
  settings: TrailFacts["settings"],
  seen: TrailFacts["seen"],
): TrailFacts {
  const names = new Map(trail.resources.map(({ urn, name }) => [urn, name]));
  const under = (lines: StackPreview["messages"]): TrailFacts["messages"] =>
    lines.flatMap(({ urn, text }) => {
      const resource = names.get(urn);
      return resource === undefined ? [] : [{ resource, text }];
    });
  const source = trail.resources.find((resource) => resource.source !== undefined)?.source;
  return {
    name: trail.name,
    settings,
    operations: operationsOf(trail),
    messages: under(messages),
    failures: under(failures),
    drift: trail.resources.flatMap(({ name: resource, drift }) =>
      drift.map((each) => ({ resource, ...each })),
    ),
    seen,
    ...(source === undefined ? {} : { source }),
  };
}

/** Failures of resources that are not this package's, and of the program itself. */
function otherFailures({ failures, resources }: StackPreview): string[] {
  const own = new Set(resources.map(({ urn }) => urn));
  return failures.flatMap(({ urn, text }) => (own.has(urn) ? [] : [text]));
}

function fromFile(file: string): StackPreview {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UserError(
      `The preview ${file} cannot be read: ${reason}. Make it with \`pulumi preview --json > ${file}\`.`,
    );
  }
  return readPreview(text, `The preview ${file}`);
}
