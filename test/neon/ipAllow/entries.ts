import fc from "fast-check";
import { parseEntry } from "../../../provider/neon/ipAllow/list";

function first(address: string): bigint {
  const entry = parseEntry(address);
  if (typeof entry === "string") throw new Error(`${address} ${entry}`);
  return entry.first;
}

/** Entries of a list, in any spelling that is understood. */
export const entries = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([address, prefix]) => `${address}/${prefix}`),
  fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map(([address, prefix]) => `${address}/${prefix}`),
  fc.tuple(fc.ipV4(), fc.ipV4()).map(([a, b]) => (first(a) <= first(b) ? `${a}-${b}` : `${b}-${a}`)),
  // Few values, so that entries often meet.
  fc.integer({ min: 0, max: 7 }).map((last) => `203.0.113.${last}`),
  fc.integer({ min: 0, max: 3 }).map((block) => `203.0.113.${block * 2}/31`),
);
/** What other writers left, entries that mean nothing included. */
export const lists = fc.array(
  fc.oneof({ weight: 9, arbitrary: entries }, { weight: 1, arbitrary: fc.string() }),
  {
    maxLength: 8,
  },
);
