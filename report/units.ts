const BYTES = ["B", "kB", "MB", "GB", "TB"] as const;

/** `1.4 GB`: units of 1000, at most two digits after the first three. */
export function formatBytes(bytes: number): string {
  let [value, unit] = [Math.abs(bytes), 0];
  while (value >= 999.5 && unit < BYTES.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const sign = bytes < 0 ? "-" : "";
  return `${sign}${digits(value)} ${BYTES[unit] ?? ""}`;
}

/** `950`, `1.2k`, `3.4M`: for the cells of a table. */
export function formatCount(count: number): string {
  for (const [size, letter] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const)
    if (count >= size * 0.9995) return `${digits(count / size)}${letter}`;
  return String(Math.round(count));
}

/** `x1.6`; `x12` from ten on. */
export function formatFactor(factor: number): string {
  return `x${factor >= 9.95 ? Math.round(factor) : factor.toFixed(1)}`;
}

/** `3 minutes`, `5 hours`, `12 days`: rounded down, because it says for how long something has lasted at least. */
export function formatDuration(seconds: number): string {
  const [amount, unit] =
    seconds < 120
      ? [seconds, "second"]
      : seconds < 7200
        ? [seconds / 60, "minute"]
        : seconds < 172_800
          ? [seconds / 3600, "hour"]
          : [seconds / 86_400, "day"];
  const whole = Math.max(0, Math.floor(amount));
  return `${whole} ${unit}${whole === 1 ? "" : "s"}`;
}

function digits(value: number): string {
  return value >= 99.95 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}
