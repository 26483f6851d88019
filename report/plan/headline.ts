import { counted } from "../../provider/contract/wording";
import { formatBytes, formatDuration, formatFactor } from "../units";
import { wasSeen, type TrailFacts } from "./facts";
import type { DailyWal, PlannedTable } from "./tables";

interface HeadlineInput {
  readonly facts: TrailFacts;
  readonly tables: readonly PlannedTable[];
  /** `null`: unknown. */
  readonly wal: DailyWal | null;
  /** Length of the statistics' window in days; `undefined`: too short, or unknown. */
  readonly days: number | undefined;
}

/** Less than this in a day is nothing that anybody has to know, in bytes. */
const NOTHING = 1e5;

/** What happens to a trail and what it costs, in one sentence without the trail's name and without a full stop. */
export function headline({ facts, tables, wal, days }: HeadlineInput): string {
  const { failures, operations, seen } = facts;
  if (failures.length > 0) return "the preview fails, so an up changes nothing before that is mended";
  const changes = new Set(operations.map(({ change }) => change));
  const publication = operations.find(({ type }) => type === "Publication")?.change;
  if (publication === "delete") return "the trail is removed, and what it changed is put back";
  const parts = [...tableParts(facts, tables), ...walParts(facts, tables, wal, days)];
  if (publication === "create") {
    parts.push("the compute no longer sleeps while Bemi is connected");
    if (wasSeen(seen) && !seen.project.logicalReplication) parts.push("one restart, which cannot be undone");
  }
  const drift = facts.drift.filter(({ name }) => name !== "notReady").length;
  if (drift > 0)
    parts.push(`${counted(drift, "change")} since the last up ${drift === 1 ? "is" : "are"} repaired`);
  if (parts.length > 0) return parts.join("; ");
  if (changes.has("create") || changes.has("update") || changes.has("replace"))
    return "resources change, and no table does";
  if (!wasSeen(seen)) return "nothing is known about it";
  return `nothing changes: ${counted(tables.length, "table")} ${tables.length === 1 ? "is" : "are"} tracked`;
}

function tableParts({ operations }: TrailFacts, tables: readonly PlannedTable[]): string[] {
  const changes = (type: string): boolean =>
    operations.some((each) => each.type === type && each.change !== "none");
  const changing = changes("ReplicaIdentity")
    ? tables.filter(({ identityNow, identityThen }) => identityNow !== identityThen)
    : [];
  const full = changing.filter(({ identityThen }) => identityThen === "FULL").length;
  const keys = changing.length - full;
  const joining = changes("Publication")
    ? tables.filter(
        ({ verdict, lock }) => verdict !== "blocked" && verdict !== "not captured" && lock !== "none",
      ).length
    : 0;
  return [
    ...(full > 0
      ? [`${counted(full, "table")} ${full === 1 ? "gets" : "get"} the whole row before each change`]
      : []),
    ...(keys > 0
      ? [
          `${counted(keys, "table")} ${keys === 1 ? "keeps" : "keep"} only the key of the row before each change`,
        ]
      : []),
    ...(joining > changing.length
      ? [`${counted(joining, "table")} ${joining === 1 ? "joins" : "join"} the publication`]
      : []),
  ];
}

function walParts(
  { seen }: TrailFacts,
  tables: readonly PlannedTable[],
  wal: DailyWal | null,
  days: number | undefined,
): string[] {
  const grows = tables.some(({ identityNow, identityThen }) => identityNow !== identityThen);
  if (!wasSeen(seen) || !grows) return [];
  if (wal === null || days === undefined) {
    const { windowSeconds } = seen.statistics;
    return [
      windowSeconds === null
        ? "its cost is unknown"
        : `its cost is unknown (statistics of ${formatDuration(windowSeconds)})`,
    ];
  }
  const more = wal.then - wal.now;
  if (more <= -NOTHING) return [`-${formatBytes(-more)} WAL a day`];
  if (more < NOTHING) return ["hardly any more WAL"];
  const factor = wal.now < 1 ? "" : ` (${formatFactor(wal.then / wal.now)})`;
  return [`+${formatBytes(more)} WAL a day${factor}`];
}
