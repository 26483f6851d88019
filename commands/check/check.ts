import { ipAllowInputs } from "../../provider/contract/kinds/ipAllow";
import { readinessInputs } from "../../provider/contract/kinds/readiness";
import type { Run } from "../../provider/contract/kind";
import { UserError } from "../../provider/contract/errors";
import { mistakesIn } from "../../provider/contract/mistakes";
import { redact } from "../../provider/contract/secrets";
import { trailDefaults } from "../../provider/contract/trail";
import type { Thresholds } from "../../report/check/facts";
import { renderJson, renderPrometheus, renderText, STATUS_NUMBERS } from "../../report/check/render";
import { checkReport, overall, type CheckReport } from "../../report/check/report";
import { trailsOf, type DeclaredResource, type DeclaredTrail } from "../declared";
import type { ProviderSettings, StackContent } from "../pulumi";
import { lookAt } from "./look";

/** How a report can be printed. */
export const CHECK_FORMATS = { text: renderText, json: renderJson, prometheus: renderPrometheus } as const;

/** A trail as arguments name it. The defaults are those of `BemiAuditTrail`. */
export interface TrailArguments {
  readonly projectId: string;
  readonly branch?: string;
  readonly database?: string;
  readonly schemas?: readonly string[];
  readonly tables?: readonly string[];
  readonly allTables?: true;
  readonly excludeTables?: readonly string[];
  readonly role: string;
  readonly publication: string;
  readonly slot: string;
  /** Entries that the IP Allow list must have. */
  readonly allowedIps?: readonly string[];
}

/** A trail to check, and how its provider is configured. */
export interface TrailToCheck {
  readonly trail: DeclaredTrail;
  readonly settings: ProviderSettings;
}

export interface CheckOptions {
  readonly trails: readonly TrailToCheck[];
  readonly format: keyof typeof CHECK_FORMATS;
  readonly thresholds: Thresholds;
}

/**
 * Checks whether trails are alive, without a deploy and without writing anything.
 *
 * @param runFor what the kinds work with, for the configuration of a provider
 * @returns what to print, and the exit code: 0 alive, 1 degraded, 2 dead or not set up, 3 could not be looked at
 */
export async function check(
  { trails, format, thresholds }: CheckOptions,
  runFor: (settings: ProviderSettings) => Run,
): Promise<{ readonly output: string; readonly exitCode: number }> {
  const reports: CheckReport[] = [];
  for (const { trail, settings } of trails) {
    try {
      reports.push(checkReport(await lookAt(trail, runFor(settings)), thresholds));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      reports.push({ status: "unknown", trail: { name: trail.name }, reason: redact(error.message) });
    }
  }
  return { output: CHECK_FORMATS[format](reports), exitCode: STATUS_NUMBERS[overall(reports)] };
}

/**
 * The trails of a stack, from its state.
 *
 * @throws UserError if the stack has none
 */
export function trailsInStack({ resources, providers }: StackContent): readonly TrailToCheck[] {
  const trails = trailsOf(resources);
  if (trails.length === 0)
    throw new UserError(
      "The stack has no resource of this package. Run pulumi up first, or name another stack with --stack.",
    );
  return trails.map((trail) => ({
    trail,
    settings: providers.get(trail.resources[0]?.provider ?? "") ?? {},
  }));
}

/**
 * The trail that arguments name, as if it were in a state.
 *
 * @throws UserError with every mistake in the arguments
 */
export function trailByArguments({ allowedIps, ...trail }: TrailArguments): TrailToCheck {
  const all = trail.tables === undefined && trail.allTables === undefined;
  const inputs = all
    ? { schemas: trailDefaults.schemas, ...withoutUndefined(trail) }
    : withoutUndefined(trail);
  const { projectId } = trail;
  const readiness = mistakesIn(readinessInputs, inputs);
  const list = mistakesIn(ipAllowInputs, { projectId, ips: allowedIps });
  const mistakes = [...readiness.mistakes, ...(allowedIps === undefined ? [] : list.mistakes)];
  if (mistakes.length > 0)
    throw new UserError(
      [
        "The arguments need attention:",
        ...mistakes.map(({ path, message }) => `  - ${path} ${message}`),
      ].join("\n"),
    );
  const resource = (type: string, value: Record<string, unknown>): DeclaredResource => ({
    urn: "",
    type,
    name: type,
    inputs: value,
    outputs: {},
    drift: [],
  });
  const declared: DeclaredTrail = {
    name: [trail.projectId, trail.branch, trail.database].filter((part) => part !== undefined).join("/"),
    resources: [
      resource("Readiness", readiness.value),
      ...(allowedIps === undefined ? [] : [resource("IpAllow", list.value)]),
    ],
  };
  return { trail: declared, settings: {} };
}

function withoutUndefined(values: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
