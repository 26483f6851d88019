import fc from "fast-check";
import { parseEntry } from "../../../provider/contract/fields/ipEntries";

function first(address: string): bigint {
  const entry = parseEntry(address);
  if (typeof entry === "string") throw new Error(`${address} ${entry}`);
  return entry.first;
}

/** Entries in every spelling that `parseEntry` accepts. */
export const entries = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([address, prefix]) => `${address}/${prefix}`),
  fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map(([address, prefix]) => `${address}/${prefix}`),
  fc.tuple(fc.ipV4(), fc.ipV4()).map(([a, b]) => (first(a) <= first(b) ? `${a}-${b}` : `${b}-${a}`)),
  // Few different values, so that equal and overlapping entries are frequent.
  fc.integer({ min: 0, max: 7 }).map((last) => `203.0.113.${last}`),
  fc.integer({ min: 0, max: 3 }).map((block) => `203.0.113.${block * 2}/31`),
);
/** Lists as other writers may leave them, also with texts that are not entries. */
export const lists = fc.array(
  fc.oneof({ weight: 9, arbitrary: entries }, { weight: 1, arbitrary: fc.string() }),
  {
    maxLength: 8,
  },
);
