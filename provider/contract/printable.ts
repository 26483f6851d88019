import { redact } from "./secrets";

/** Longest line that is shown, in characters. The module's own sentences about ten names of 63 bytes fit into it. */
const LINE = 4_000;
/** Most lines of one message. */
const LINES = 100;

/**
 * Length of the end of an examined text that is not shown, in characters: a secret that was cut in two there could not
 * be recognised. No secret in any of its forms is longer.
 */
const MARGIN = 4_096;

/** Control characters with a short form that every reader knows. */
const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/*
 * What a terminal, a CI system or a reader's eye would take for something else than text:
 * - C0, DEL and C1: escape sequences, line breaks, backspaces
 * - line and paragraph separators, byte order mark and zero-width space
 * - marks that change the direction of the text (Trojan source), and invisible tags
 * - halves of surrogate pairs, which are no characters
 */
const UNPRINTABLE =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;

/**
 * Text as one line that is safe to print, whoever wrote it. Names of objects and messages of Neon and PostgreSQL come
 * from others: they can hold escape sequences, line breaks, and commands to what reads the output.
 *
 * - Characters that are not to be printed are shown as `\n`, `\r`, `\t` or by their code, e.g. `\u{1b}`.
 * - `<{%` begins a colour in Pulumi's own markup. The CLI ends with a panic if it does not know the colour.
 * - `::` at the beginning of a line, and `##[`, `##vso[` anywhere, are commands of CI systems, e.g. `::add-mask::`.
 *
 * Secrets are replaced first, and the line is cut last, so that no part of a secret is left. Applied twice, it changes
 * nothing more.
 *
 * @param limit longest result in characters, without what says that the text was longer
 */
export function printable(text: string, limit = LINE): string {
  // What is far beyond the limit is not even looked at, because nobody limits what others write.
  const examined = text.slice(0, 4 * limit + MARGIN);
  const clean = redact(examined);
  const whole = examined.length === text.length;
  const escaped = (whole ? clean : clean.slice(0, -MARGIN))
    .replace(UNPRINTABLE, (character) => SHORT[character] ?? byCode(character))
    .replaceAll("<{%", "<\\u{7b}%")
    .replace(/##(?=\w*\[)/g, "#\\u{23}")
    .replace(/^(\s*):(?=:)/, "$1\\u{3a}");
  if (whole && (escaped.length <= limit || (escaped.length < limit + 40 && CUT.test(escaped))))
    return escaped;
  const kept = escaped.slice(0, limit).replace(/[\ud800-\udbff]$/, "");
  return `${kept} ... (${Math.max(1, text.length - kept.length)} more characters)`;
}

/** The end of a text that was cut. */
const CUT = /\.\.\. \(\d+ more characters\)$/;

/** Several lines of the module's own, each made {@link printable}. A line break inside a line belongs to a name. */
export function printableLines(lines: readonly string[]): string {
  const shown = lines.slice(0, LINES).map((line) => printable(line));
  const more = lines.length - shown.length;
  return [...shown, ...(more > 0 ? [`... (${more} more lines)`] : [])].join("\n");
}

/** All texts in a value, at any depth, made {@link printable}. */
export function printableValue(value: unknown): unknown {
  if (typeof value === "string") return printable(value);
  if (Array.isArray(value)) return value.map(printableValue);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, printableValue(each)]));
}

function byCode(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
