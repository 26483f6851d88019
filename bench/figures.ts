import Table from "cli-table3";

/** One line of the report. */
export interface Figure {
  readonly what: string;
  /** Number of tables. */
  readonly tables: number;
  /** What the provider needs. */
  readonly provider: string;
  /** What the guide's statements need for the same, if they can do it. */
  readonly guide?: string;
  /** The provider's figure divided by the guide's. */
  readonly ratio?: string;
  readonly target?: string;
  /** Left out if there is no target. */
  readonly met?: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = NaN, high = NaN] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
  return (low + high) / 2;
}

/**
 * The medians of both, side by side. Without times of the guide, its statements cannot do it.
 *
 * @param provider times in milliseconds
 * @param guide times in milliseconds
 * @param target the highest ratio allowed
 */
export function compared(
  what: string,
  tables: number,
  provider: readonly number[],
  guide: readonly number[],
  target?: number,
): Figure {
  const [own, other] = [median(provider), median(guide)];
  if (guide.length === 0) return { what, tables, provider: milliseconds(own), guide: "fails" };
  return {
    what,
    tables,
    provider: milliseconds(own),
    guide: milliseconds(other),
    ratio: (own / other).toFixed(2),
    ...(target === undefined ? {} : { target: `ratio <= ${target}`, met: own / other <= target }),
  };
}

/** A number of the provider, and the highest number allowed. */
export function bounded(what: string, tables: number, provider: number, most: number, unit = ""): Figure {
  const text = Number.isInteger(provider) ? String(provider) : provider.toFixed(0);
  return { what, tables, provider: text + unit, target: `<= ${most}${unit}`, met: provider <= most };
}

export function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

export function figuresTable(figures: readonly Figure[]): string {
  const table = new Table({
    head: ["Measure", "Tables", "Provider", "Guide", "Ratio", "Target", "Met"],
    colAligns: ["left", "right", "right", "right", "right", "left", "left"],
    style: { head: [], border: [], compact: true },
  });
  for (const { what, tables, provider, guide, ratio, target, met } of figures)
    table.push([
      what,
      String(tables),
      provider,
      guide ?? "",
      ratio ?? "",
      target ?? "",
      met === undefined ? "" : met ? "yes" : "NO",
    ]);
  return table.toString();
}
