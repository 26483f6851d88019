import { isIPv4, isIPv6 } from "node:net";
import type * as z from "zod";
import { text } from "./values";

/**
 * One entry of a project's IP Allow list: an address, a CIDR block, or a range `first-last` that includes both ends.
 */
export interface IpEntry {
  /**
   * The normal form, which is sent to Neon: lower case, no `/32`, and no spaces. For Neon's proxy an entry with spaces
   * matches no address.
   */
  readonly text: string;
  readonly family: 4 | 6;
  /** First address, as a number. */
  readonly first: bigint;
  /** Last address, as a number. */
  readonly last: bigint;
}

const BITS = { 4: 32, 6: 128 } as const;

/**
 * Parses one entry as a user or another tool wrote it.
 *
 * @returns the entry, or what is wrong with the text
 */
export function parseEntry(written: string): IpEntry | string {
  const text = written.trim();
  const range = text.split("-").map((part) => part.trim());
  if (range.length === 2) return parseRange(range[0] ?? "", range[1] ?? "");
  const [address = "", prefix, ...rest] = text.split("/").map((part) => part.trim());
  const parsed = parseAddress(address);
  if (parsed === undefined || rest.length > 0)
    return "is not an IPv4 or IPv6 address, a CIDR block or a range a-b";
  const bits = BITS[parsed.family];
  if (prefix === undefined) return entry(parsed.family, parsed.value, parsed.value);
  if (!/^(0|[1-9]\d{0,2})$/.test(prefix) || Number(prefix) > bits)
    return `has a prefix that is not 0 to ${bits}`;
  // Bits after the prefix have no meaning: 203.0.113.7/24 admits the same addresses as 203.0.113.0/24.
  const size = 1n << BigInt(bits - Number(prefix));
  const first = (parsed.value / size) * size;
  return entry(parsed.family, first, first + size - 1n, Number(prefix));
}

/** A field for one entry. The message quotes the text, because a configuration shows no positions. */
export function ipEntry(): z.ZodString {
  return text().superRefine((written, context) => {
    const parsed = parseEntry(written);
    if (typeof parsed === "string") context.addIssue(`"${written}" ${parsed}`);
  });
}

/** Whether an entry admits every address of its family. A list that contains it restricts nothing. */
export function isEverything({ family, first, last }: IpEntry): boolean {
  return first === 0n && last === (1n << BigInt(BITS[family])) - 1n;
}

function parseRange(from: string, to: string): IpEntry | string {
  const [first, last] = [parseAddress(from), parseAddress(to)];
  if (first === undefined || last === undefined) return "is not a range of two IPv4 or IPv6 addresses";
  if (first.family !== last.family) return "is a range from one address family to the other";
  if (first.value > last.value) return "is a range whose end lies before its beginning";
  return entry(first.family, first.value, last.value);
}

function entry(family: 4 | 6, first: bigint, last: bigint, prefix?: number): IpEntry {
  const start = formatAddress(family, first);
  if (first === last) return { text: start, family, first, last };
  const text = prefix === undefined ? `${start}-${formatAddress(family, last)}` : `${start}/${prefix}`;
  return { text, family, first, last };
}

function parseAddress(text: string): { family: 4 | 6; value: bigint } | undefined {
  if (isIPv4(text)) return { family: 4, value: joined(text.split(".").map(Number), 8n) };
  if (!isIPv6(text) || text.includes("%")) return undefined;
  // An IPv6 address may end in an IPv4 address, which stands for its last 32 bits.
  const [, head = "", dotted] = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text) ?? [];
  const plain =
    dotted === undefined ? text : head + hexGroups(joined(dotted.split(".").map(Number), 8n), 2).join(":");
  const [left = "", right] = plain.split("::");
  const before = groups(left);
  const after = groups(right ?? "");
  const zeros = new Array<number>(8 - before.length - after.length).fill(0);
  return { family: 6, value: joined([...before, ...zeros, ...after], 16n) };
}

function groups(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

function joined(parts: readonly number[], bits: bigint): bigint {
  return parts.reduce((value, part) => (value << bits) | BigInt(part), 0n);
}

function hexGroups(value: bigint, count: number): string[] {
  return Array.from({ length: count }, (_, index) =>
    ((value >> BigInt(16 * (count - 1 - index))) & 0xffffn).toString(16),
  );
}

/**
 * The usual text of an address. IPv6 follows RFC 5952: lower case, and `::` for the longest run of two or more groups
 * that are zero.
 */
function formatAddress(family: 4 | 6, value: bigint): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join(".");
  const text = hexGroups(value, 8).join(":");
  const runs = [...text.matchAll(/\b0(?::0)+\b/g)].sort((a, b) => b[0].length - a[0].length);
  const longest = runs[0];
  if (longest === undefined) return text;
  const before = text.slice(0, longest.index).replace(/:$/, "");
  const after = text.slice(longest.index + longest[0].length).replace(/^:/, "");
  return `${before}::${after}`;
}
