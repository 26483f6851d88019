import { select } from "../../provider/postgres/selection/selection";
import { accessLines, destroyLines, type DestroyLines } from "./consequences";
import { unusedExceptions, planFindings, type PlanFinding } from "./findings";
import { wasSeen, type PlanOptions, type TrailFacts } from "./facts";
import { headline } from "./headline";
import { dailyWal, daysOf, plannedTables, type DailyWal, type PlannedTable } from "./tables";

/** How many tables a report lists; the rest is counted. */
export const LISTED = 20;

/** What a report says about one trail. */
export interface TrailReport {
  readonly name: string;
  /** `undefined`: not all arguments are known before the up. */
  readonly target:
    { readonly projectId: string; readonly branch: string; readonly database: string } | undefined;
  /** One sentence: what happens, and what it costs. */
  readonly headline: string;
  readonly findings: readonly PlanFinding[];
  /** Number of resources by what the preview does with them: `create`, `update`, `replace`, `delete`, `none`. */
  readonly resources: Readonly<Record<string, number>>;
  /** The selected tables that hold rows, the worst first; at most {@link LISTED} of them. */
  readonly tables: readonly PlannedTable[];
  /** What the tables that are not listed come to. */
  readonly otherTables: {
    readonly count: number;
    readonly changing: number;
    readonly addedWal: number | null;
  };
  /** For how long the server has counted, in seconds; `null`: unknown. */
  readonly windowSeconds: number | null;
  /** Write-ahead log of a day of the whole database; `null`: unknown. */
  readonly wal: DailyWal | null;
  /** What the additional write-ahead log of a month costs at the given price; left out without a price. */
  readonly costPerMonth?: number;
  /** Who can read and reach what, a sentence each. */
  readonly access: readonly string[];
  readonly destroy: DestroyLines;
  /** What was changed since the last up. */
  readonly drift: readonly { readonly resource: string; readonly name: string; readonly text: string }[];
  /** What the preview says under the resources. */
  readonly steps: readonly { readonly resource: string; readonly text: string }[];
  /** Where the program declares the trail; left out where that is not known. */
  readonly source?: { readonly file: string; readonly line: number };
}

/** A report about a stack. */
export interface PlanReport {
  readonly stack: { readonly project: string; readonly name: string };
  readonly trails: readonly TrailReport[];
  /** Why the preview failed, where it says so of none of the trails. */
  readonly failures: readonly string[];
  /** Codes and subjects of exceptions that no finding needs. */
  readonly unusedExceptions: readonly string[];
  /**
   * - `blocked`: the preview failed, or a finding blocks;
   * - `warnings`: a finding warns;
   * - `clean`: neither.
   */
  readonly verdict: "clean" | "warnings" | "blocked";
}

/** What a report about a stack is made from. */
export interface StackFacts {
  readonly stack: PlanReport["stack"];
  readonly trails: readonly TrailFacts[];
  readonly failures: readonly string[];
}

const DAYS_OF_MONTH = 30;

/** The report about a stack: a pure function of what was found. */
export function planReport({ stack, trails, failures }: StackFacts, options: PlanOptions): PlanReport {
  const reports = trails.map((trail) => trailReport(trail, options));
  const findings = reports.flatMap((report) => report.findings);
  const counting = findings.filter(({ accepted }) => accepted === undefined);
  const blocked = failures.length > 0 || counting.some(({ severity }) => severity === "block");
  return {
    stack,
    trails: reports,
    failures,
    unusedExceptions: unusedExceptions(options.exceptions, findings).map(({ code, subject }) =>
      subject === undefined ? code : `${code} ${subject}`,
    ),
    verdict: blocked
      ? "blocked"
      : counting.some(({ severity }) => severity === "warn")
        ? "warnings"
        : "clean",
  };
}

/** The report about one trail. */
export function trailReport(facts: TrailFacts, options: PlanOptions): TrailReport {
  const { seen, settings, operations } = facts;
  const known = wasSeen(seen) && settings !== undefined ? { ...seen, settings } : undefined;
  const days = known === undefined ? undefined : daysOf(known.statistics, options.minWindowHours);
  const selected = known === undefined ? undefined : select(known.catalog, known.settings.selection);
  const input = known === undefined || selected === undefined ? undefined : { ...known, selected, days };
  const tables = input === undefined ? [] : plannedTables(input);
  const wal = input === undefined ? null : (dailyWal(input, tables) ?? null);
  const rest = tables.slice(LISTED);
  const findings = planFindings({ facts, selected, tables, days }, options.exceptions);
  const cost =
    wal === null || options.pricePerGb === undefined
      ? undefined
      : ((wal.then - wal.now) / 1e9) * DAYS_OF_MONTH * options.pricePerGb;
  return {
    name: facts.name,
    target:
      settings === undefined
        ? undefined
        : {
            projectId: settings.projectId,
            branch: settings.copyAs ?? known?.branch ?? settings.branch ?? "(default branch)",
            database: settings.database,
          },
    headline: headline({ facts, tables, wal, days }),
    findings,
    resources: countsOf(operations),
    tables: tables.slice(0, LISTED),
    otherTables: {
      count: rest.length,
      changing: rest.filter(({ verdict }) => verdict !== "tracked").length,
      addedWal:
        days === undefined
          ? null
          : rest.reduce((sum, each) => sum + (each.wal?.then ?? 0) - (each.wal?.now ?? 0), 0),
    },
    windowSeconds: known?.statistics.windowSeconds ?? null,
    wal,
    ...(cost === undefined ? {} : { costPerMonth: cost }),
    access: accessLines(facts, tables),
    destroy: destroyLines(facts, tables),
    drift: facts.drift,
    steps: facts.messages,
    ...(facts.source === undefined ? {} : { source: facts.source }),
  };
}

function countsOf(operations: TrailFacts["operations"]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { change } of operations) counts[change] = (counts[change] ?? 0) + 1;
  return counts;
}
