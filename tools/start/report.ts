import Table from "cli-table3";
import type * as z from "zod";
import type { trailOutputs } from "../../provider/contract/trail";
import type { Change, Row } from "./changes";
import type { Difference } from "./catalogs";
import type { Outcome } from "./stack";

/** Widths of the columns without borders and padding. Together they make a table of 80 characters. */
const WIDTHS = { operation: 6, table: 20, key: 9, before: 14, after: 15 } as const;
/** Longest line of every text, in characters: that of a terminal as it opens. */
const LINE = 80;
/** Most lines of a cell. The columns that do not fit are counted. */
const MOST_LINES = 3;

/**
 * The captured changes as a table. An update shows the columns that changed and counts the others. A create or a delete
 * shows the first columns of the row. The primary key has a column of its own. Long values are shortened.
 */
export function changesTable(changes: readonly Change[]): string {
  const table = new Table({
    head: ["Change", "Table", "Key", "Before", "After"],
    colWidths: Object.values(WIDTHS).map((width) => width + 2),
    style: { head: [], border: [], compact: true },
  });
  for (const { operation, table: name, key, before, after } of changes) {
    table.push([
      operation,
      tableName(name),
      fit(primaryKey(key, after ?? before), WIDTHS.key),
      row(before, { other: after, key, width: WIDTHS.before, countUnchanged: true }),
      row(after, { other: before, key, width: WIDTHS.after, countUnchanged: false }),
    ]);
  }
  return table.toString();
}

/** What the application said about its changes, a line for each context. */
export function contexts(changes: readonly Change[]): string {
  const counted = new Map<string, number>();
  for (const { context } of changes)
    if (context !== undefined) counted.set(context, (counted.get(context) ?? 0) + 1);
  return [...counted]
    .map(([context, count]) => fit(`  ${count} of them with the application's context ${context}`, LINE))
    .join("\n");
}

/** The name on two lines, if it is too long for one. */
function tableName(name: string): string {
  if (name.length <= WIDTHS.table) return name;
  const dot = name.indexOf(".") + 1;
  return [name.slice(0, dot), ` ${name.slice(dot)}`].map((part) => fit(part, WIDTHS.table)).join("\n");
}

function primaryKey(key: readonly string[], side: Row | undefined): string {
  return key.length === 0 ? "(none)" : key.map((column) => text(side?.[column])).join(", ");
}

/** One side of a change, with a column on each line. If there is another side, only the differing columns are shown. */
function row(
  side: Row | undefined,
  how: {
    readonly other: Row | undefined;
    readonly key: readonly string[];
    readonly width: number;
    readonly countUnchanged: boolean;
  },
): string {
  if (side === undefined) return "";
  const { other, key, width, countUnchanged } = how;
  const differs = (column: string): boolean => other !== undefined && side[column] !== other[column];
  const columns = Object.keys(side);
  const shown = columns.filter((column) => (other === undefined ? !key.includes(column) : differs(column)));
  const same = other === undefined ? 0 : columns.length - shown.length;
  const last = countUnchanged && same > 0 ? [`+ ${same} unchanged`] : [];
  const room = MOST_LINES - last.length;
  const fitting = shown.length <= room ? shown.length : room - 1;
  const lines = shown.slice(0, fitting).map((column) => fit(`${column}: ${text(side[column])}`, width));
  const more = shown.length - fitting;
  return [...lines, ...(more > 0 ? [`+ ${more} more`] : []), ...last].join("\n");
}

function text(value: string | null | undefined): string {
  if (value === undefined) return "(missing)";
  return value === null ? "NULL" : value.replace(/\s+/g, " ");
}

/** The line shortened to the width. A very long value is followed by its length. */
function fit(line: string, width: number): string {
  if (line.length <= width) return line;
  const length = line.length > 200 ? ` ${Math.round(line.length / 1000)}k` : "";
  return `${line.slice(0, width - 1 - length.length)}…${length}`;
}

/** How an operation is marked, as Pulumi marks it. */
const MARKS: Readonly<Partial<Record<Outcome["steps"][number]["operation"], string>>> = {
  create: "+",
  update: "~",
  delete: "-",
  replace: "±",
};

/** The changes of an operation, with a resource on each line, what has drifted, and its notes. */
export function operation(outcome: Outcome): string {
  const { steps } = outcome;
  const width = Math.max(0, ...steps.map(({ type }) => type.length));
  const lines = steps.flatMap(({ operation: done, type, name, drift }) => [
    `    ${MARKS[done] ?? "~"} ${type.padEnd(width)}  ${name}`,
    ...drift.map((text) => `        - ${wrap(text.split(/\s+/), " ", LINE - 10).join("\n          ")}`),
  ]);
  return [...lines, ...notes(outcome)].join("\n");
}

/** The notes of an operation, without those that `before` contains, each as a wrapped line. */
export function notes({ notes: told }: Outcome, before?: Outcome): string[] {
  return told
    .filter((note) => before?.notes.includes(note) !== true)
    .map((note) => `    · ${wrap(note.split(/\s+/), " ", LINE - 6).join("\n      ")}`);
}

/** The counts on as few lines as possible, e.g. `comment 3 · role 5`. */
export function counts(facts: ReadonlyMap<string, number>): string {
  return wrap(
    [...facts].map(([kind, count]) => `${kind} ${count}`),
    " · ",
    LINE - 2,
  ).join("\n  ");
}

/** Joins the parts into lines that are at most `width` long. */
function wrap(parts: readonly string[], separator: string, width: number): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const joined = lines.length === 0 ? part : `${lines.at(-1) ?? ""}${separator}${part}`;
    if (lines.length > 0 && joined.length <= width) lines[lines.length - 1] = joined;
    else lines.push(part);
  }
  return lines;
}

/** The fields of Bemi's dialog "Connect PostgreSQL Database", without the password. */
export function dialog(connection: {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly environment: string;
}): string {
  return fields([
    ["Host", connection.host],
    ["Port", String(connection.port)],
    ["Database Name", connection.database],
    ["Username", connection.username],
    ["Password", `${"•".repeat(8)} (pulumi stack output connection --show-secrets)`],
    ["Environment", connection.environment],
  ]);
}

/** The stack's output `status`, in words. */
export function readiness(status: z.output<typeof trailOutputs.shape.status>): string {
  return fields([
    ["Ready", status.ready ? "yes" : "no"],
    ["PostgreSQL", `${status.serverVersion}, wal_level ${status.walLevel}`],
    ["Published", `${status.published} of ${status.selected} tables`],
    ["Full row before", `${status.full} of ${status.selected} tables`],
    ["New tables", status.newTables],
    ["Slot", status.slotState],
    ...status.degraded.map((line): [string, string] => ["Limit", line]),
  ]);
}

function fields(entries: readonly (readonly [label: string, value: string])[]): string {
  const width = Math.max(...entries.map(([label]) => label.length));
  const indent = " ".repeat(width + 4);
  return entries
    .map(([label, value]) => {
      const lines = wrap(value.split(" "), " ", LINE - indent.length);
      return `  ${label.padEnd(width)}  ${lines.join(`\n${indent}`)}`;
    })
    .join("\n");
}

/** The first few differences, a line each. */
export function differences(list: readonly Difference[], most = 20): string {
  const lines = list.slice(0, most).map(({ kind, object, before, after }) => {
    if (before === undefined) return `  + ${kind} ${object}`;
    if (after === undefined) return `  - ${kind} ${object}`;
    return `  ~ ${kind} ${object}: ${before} -> ${after}`;
  });
  if (list.length > most) lines.push(`  and ${list.length - most} more`);
  return lines.join("\n");
}
