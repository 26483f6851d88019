import { distance } from "fastest-levenshtein";

/** `a, b, c and 7 more`: names the first few of a list that may be long. */
export function firstFew(names: readonly string[], limit = 5): string {
  const rest = names.length - limit;
  if (rest <= 0) return names.join(", ");
  return `${names.slice(0, limit).join(", ")} and ${rest} more`;
}

/** `1 table`, `18 tables`. @param noun - in the singular; its plural ends in s, or in ies for y */
export function counted(count: number, noun: string): string {
  if (count === 1) return `1 ${noun}`;
  return `${count} ${noun.endsWith("y") ? `${noun.slice(0, -1)}ies` : `${noun}s`}`;
}

/**
 * The candidate that was probably meant by a text: the same in another case, or up to two typing errors away (one in a
 * short text). `undefined` where none is that near.
 */
export function closest(text: string, candidates: readonly string[]): string | undefined {
  const lower = text.toLowerCase();
  const near = candidates
    .map((candidate) => ({ candidate, errors: distance(lower, candidate.toLowerCase()) }))
    .sort((a, b) => a.errors - b.errors)[0];
  if (near === undefined) return undefined;
  return near.errors <= (text.length < 5 ? 1 : 2) ? near.candidate : undefined;
}
