import { isIPv4, isIPv6 } from "node:net";
import { UserError } from "../contract/errors";

/** One entry of a project's IP Allow list: an address, a CIDR block or a range `first-last`, both ends included. */
export interface IpEntry {
  /** The normal form, as sent to Neon: no spaces (Neon's proxy matches nothing on them), lower case, no `/32`. */
  readonly text: string;
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

const BITS = { 4: 32, 6: 128 } as const;

/**
 * Reads one entry.
 *
 * @returns the entry, or what is wrong with it
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
  // Bits behind the prefix say nothing: 203.0.113.7/24 lets in what 203.0.113.0/24 does.
  const size = 1n << BigInt(bits - Number(prefix));
  const first = (parsed.value / size) * size;
  return entry(parsed.family, first, first + size - 1n, Number(prefix));
}

/**
 * Reads entries that a user wrote; the same range written twice counts once.
 *
 * @throws UserError with every bad entry
 */
export function parseEntries(written: readonly string[]): IpEntry[] {
  const bad: string[] = [];
  const good: IpEntry[] = [];
  for (const text of written) {
    const parsed = parseEntry(text);
    if (typeof parsed === "string") bad.push(`"${text}" ${parsed}`);
    else if (!good.some((other) => sameRange(other, parsed))) good.push(parsed);
  }
  if (bad.length > 0) throw new UserError(`The IP Allow entries cannot be sent to Neon: ${bad.join("; ")}.`);
  return good;
}

/** Whether two entries let exactly the same addresses in, however they are written. */
export function sameRange(one: IpEntry, other: IpEntry): boolean {
  return one.family === other.family && one.first === other.first && one.last === other.last;
}

/** Whether `wide` lets in all that `narrow` does. */
export function covers(wide: IpEntry, narrow: IpEntry): boolean {
  return wide.family === narrow.family && wide.first <= narrow.first && narrow.last <= wide.last;
}

/** Whether an entry lets in every address of its family: a list with it restricts nothing. */
export function isEverything({ family, first, last }: IpEntry): boolean {
  return first === 0n && last === (1n << BigInt(BITS[family])) - 1n;
}

/** The entries of `wanted` that `list` lacks. An entry inside a wider one is lacking all the same: that may go. */
export function missing(list: readonly string[], wanted: readonly IpEntry[]): IpEntry[] {
  const present = understood(list);
  return wanted.filter((entry) => !present.some((other) => sameRange(other, entry)));
}

/** An entry of `list` that lets in all that `entry` does and more. */
export function coveredBy(list: readonly string[], entry: IpEntry): IpEntry | undefined {
  return understood(list).find((other) => covers(other, entry) && !sameRange(other, entry));
}

/** The list with the missing of `wanted` at its end; what was there stays as it is, where it is. */
export function merge(list: readonly string[], wanted: readonly IpEntry[]): string[] {
  return [...list, ...missing(list, wanted).map(({ text }) => text)];
}

/**
 * The list without `ours`, each taken out once: as we wrote it, else as Neon may have rewritten it. What others wrote
 * for the same addresses stays.
 */
export function remove(list: readonly string[], ours: readonly string[]): string[] {
  const rest = [...list];
  for (const text of ours) {
    const verbatim = rest.indexOf(text);
    const at = verbatim === -1 ? rest.findIndex((other) => sameText(other, text)) : verbatim;
    if (at !== -1) rest.splice(at, 1);
  }
  return rest;
}

/**
 * What others did to a list between our reading and our writing of it, by a look at that moment. Should the look have
 * come a little later, our own changes do not count.
 */
export function changedByOthers(
  read: readonly string[],
  seen: readonly string[],
  written: readonly string[],
): { readonly added: readonly string[]; readonly removed: readonly string[] } {
  return {
    added: seen.filter((entry) => !read.includes(entry) && !written.includes(entry)),
    removed: read.filter((entry) => written.includes(entry) && !seen.includes(entry)),
  };
}

/** Whether two texts mean the same range; texts that are no entries are compared as they are. */
export function sameText(one: string, other: string): boolean {
  if (one === other) return true;
  const [a, b] = [parseEntry(one), parseEntry(other)];
  return typeof a !== "string" && typeof b !== "string" && sameRange(a, b);
}

function understood(list: readonly string[]): IpEntry[] {
  return list.map(parseEntry).filter((parsed) => typeof parsed !== "string");
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
  // The last 32 bits may be written as IPv4.
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

/** Dotted IPv4, or IPv6 as RFC 5952 writes it: lower case, the longest run of two or more zero groups as `::`. */
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
