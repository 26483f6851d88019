import { UserError } from "../../contract/errors";
import { parseEntry, type IpEntry } from "../../contract/fields/ipEntries";

/**
 * Parses entries that a user wrote. A range that is written twice counts once.
 *
 * @throws UserError that lists every text that is not an entry
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

/** Whether a text on a list is an entry. */
export function isEntry(text: string): boolean {
  return typeof parseEntry(text) !== "string";
}

/** Whether two entries admit exactly the same addresses, however they are written. */
function sameRange(one: IpEntry, other: IpEntry): boolean {
  return one.family === other.family && one.first === other.first && one.last === other.last;
}

/** Whether `wide` admits every address that `narrow` admits. */
function covers(wide: IpEntry, narrow: IpEntry): boolean {
  return wide.family === narrow.family && wide.first <= narrow.first && narrow.last <= wide.last;
}

/**
 * The given entries that the list lacks. An entry inside a wider one of the list counts as lacking too, because the
 * wider one may be removed.
 */
export function missing(list: readonly string[], entries: readonly IpEntry[]): IpEntry[] {
  const present = parsed(list);
  return entries.filter((entry) => !present.some((other) => sameRange(other, entry)));
}

/** A wider entry of the list that admits every address that `entry` admits; `undefined` if there is none. */
export function coveredBy(list: readonly string[], entry: IpEntry): IpEntry | undefined {
  return parsed(list).find((other) => covers(other, entry) && !sameRange(other, entry));
}

/**
 * The texts by which the list holds entries that this module added: preferably the same text, otherwise one that means
 * the same range, because Neon may have rewritten it. An entry that the list lacks keeps its text.
 *
 * Each removal takes these texts from the list as it was first read. Compared by range in every round, the second round
 * would take another writer's spelling of a range that the first round removed.
 */
export function textsOnList(list: readonly string[], added: readonly string[]): string[] {
  const rest = [...list];
  return added.map((text) => {
    const verbatim = rest.indexOf(text);
    const at = verbatim === -1 ? rest.findIndex((other) => sameText(other, text)) : verbatim;
    return at === -1 ? text : (rest.splice(at, 1)[0] ?? text);
  });
}

/** The list without the given texts, each removed once. */
export function remove(list: readonly string[], texts: readonly string[]): string[] {
  const rest = [...list];
  for (const text of texts) {
    const at = rest.indexOf(text);
    if (at !== -1) rest.splice(at, 1);
  }
  return rest;
}

/** Whether two texts mean the same range. Texts that are not entries are compared as they are. */
export function sameText(one: string, other: string): boolean {
  if (one === other) return true;
  const [a, b] = [parseEntry(one), parseEntry(other)];
  return typeof a !== "string" && typeof b !== "string" && sameRange(a, b);
}

/** The entries of a list. Texts that are not entries are left out, as Neon's proxy ignores them. */
function parsed(list: readonly string[]): IpEntry[] {
  return list.map(parseEntry).filter((entry) => typeof entry !== "string");
}
