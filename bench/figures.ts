import Table from "cli-table3";

/** One line of the report. */
export interface Figure {
  readonly what: string;
  /** Number of tables. */
  readonly tables: number;
  readonly ours: string;
  /** The same done by the guide's statements, where they can. */
  readonly guide?: string;
  readonly ratio?: string;
  readonly target?: string;
  /** Left out where there is no target. */
  readonly met?: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = NaN, high = NaN] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
  return (low + high) / 2;
}

/** Medians side by side; a target is the highest ratio. No times of the guide: it could not be done that way. */
export function compared(
  what: string,
  tables: number,
  ours: readonly number[],
  guide: readonly number[],
  target?: number,
): Figure {
  const [mine, theirs] = [median(ours), median(guide)];
  if (guide.length === 0) return { what, tables, ours: milliseconds(mine), guide: "fails" };
  return {
    what,
    tables,
    ours: milliseconds(mine),
    guide: milliseconds(theirs),
    ratio: (mine / theirs).toFixed(2),
    ...(target === undefined ? {} : { target: `ratio <= ${target}`, met: mine / theirs <= target }),
  };
}

/** A number that must not be above a bound. */
export function bounded(what: string, tables: number, ours: number, most: number, unit = ""): Figure {
  const text = Number.isInteger(ours) ? String(ours) : ours.toFixed(0);
  return { what, tables, ours: text + unit, target: `<= ${most}${unit}`, met: ours <= most };
}

export function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

export function figuresTable(figures: readonly Figure[]): string {
  const table = new Table({
    head: ["Measure", "Tables", "Ours", "Guide", "Ratio", "Target", "Met"],
    colAligns: ["left", "right", "right", "right", "right", "left", "left"],
    style: { head: [], border: [], compact: true },
  });
  for (const { what, tables, ours, guide, ratio, target, met } of figures)
    table.push([
      what,
      String(tables),
      ours,
      guide ?? "",
      ratio ?? "",
      target ?? "",
      met === undefined ? "" : met ? "yes" : "NO",
    ]);
  return table.toString();
}
