/**
 * Every secret that this process has met, so that none of them leaves it in an error or a log line.
 *
 * A secret that is long or random enough does not occur in a text by chance. It is replaced wherever it occurs, also in
 * the forms in which libraries and servers repeat it. A short or simple one can be a word of a message: with the password
 * "role", every sentence about a role would be garbled, and the gaps would even show the password. Such a secret is
 * replaced only where a password stands: in a URI, after `password=`, and the like. Neon generates its passwords and
 * requires 60 bits of entropy of others, so the passwords of this module's roles are of the first sort.
 *
 * What the program itself marks as a secret can be any text. The user asked for it, so it is also replaced as a whole
 * word, unless it is shorter than four characters.
 */
interface Known {
  /** Texts that are replaced wherever they occur. */
  readonly forms: Set<string>;
  /** Texts that are replaced as whole words. */
  readonly words: Set<string>;
  /** Texts that are replaced where a password stands. */
  readonly simple: Set<string>;
}

const known: Known = { forms: new Set(), words: new Set(), simple: new Set() };

/** What stands where a secret was. */
const REDACTED = "[secret]";

/** Shortest text that is replaced. */
const SHORTEST = 4;

/** Longest of the pieces in which a longer text is looked for, in characters, e.g. a certificate's key. */
const PIECE = 500;

/** The pattern of `words` and `simple`; made anew after each new one. */
let compiled: RegExp | undefined;
/** `forms`, the longest first; made anew after each new one. */
let ordered: readonly string[] | undefined;

/** Registers a credential (a password, a key, a connection URI) and returns it. */
export function secret(value: string): string {
  if (isDistinctive(value)) addForms(value);
  else if (value.length >= SHORTEST) add(known.simple, value);
  return value;
}

/** Registers a text that the program marks as a secret, whatever it is. */
export function conceal(text: string): void {
  if (isDistinctive(text)) addForms(text);
  else if (text.length >= SHORTEST) add(known.words, text);
}

/**
 * The text without any registered secret, any password in a URI, and anything that looks like a password or key of
 * Neon's.
 */
export function redact(text: string): string {
  compiled ??= pattern();
  let clean = text;
  ordered ??= [...known.forms].sort((a, b) => b.length - a.length);
  for (const form of ordered) clean = clean.replaceAll(form, REDACTED);
  return (
    clean
      .replace(compiled, REDACTED)
      // A password may contain `@`, unescaped in what people write: the last one of the word ends it.
      .replace(/\b([a-z][a-z0-9+.-]{0,20}:\/\/[^\s:@/]{0,200}:)\S{1,1000}@/gi, `$1${REDACTED}@`)
      .replace(/\b(Bearer|Authorization: \w+) [\w.~+/=-]{8,}/g, `$1 ${REDACTED}`)
      .replace(/\b(?:npg|napi)_[A-Za-z0-9_-]+/g, REDACTED)
  );
}

/** Whether a text is so long or so mixed that it is in no other text by chance. */
function isDistinctive(text: string): boolean {
  const classes = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].filter((each) => each.test(text)).length;
  return text.length >= 20 || (text.length >= 12 && classes >= 2) || (text.length >= 8 && classes >= 3);
}

function addForms(value: string): void {
  // Pieces of the same length, so that none is too short to be recognised.
  const piece = Math.ceil(value.length / Math.ceil(value.length / PIECE));
  for (let at = 0; at < value.length; at += piece)
    for (const form of formsOf(value.slice(at, at + piece))) add(known.forms, form);
}

function add(set: Set<string>, value: string): void {
  if (set.has(value)) return;
  set.add(value);
  compiled = ordered = undefined;
}

/** The forms in which a text is repeated: as it is, quoted for SQL or JSON, encoded for a URL, in hexadecimal and base64. */
function formsOf(value: string): string[] {
  const bytes = Buffer.from(value, "utf8");
  // As it is encoded: half of a surrogate pair has no encoding, and encodeURIComponent throws for it.
  const wellFormed = bytes.toString("utf8");
  const uri = encodeURIComponent(wellFormed);
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    value.replaceAll("'", "''"),
    uri,
    uri.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    new URLSearchParams([["", wellFormed]]).toString().slice(1),
    bytes.toString("hex"),
    ...[0, 1, 2].flatMap((offset) => base64Within(bytes, offset)),
  ].filter((form) => isDistinctive(form));
}

/**
 * The part of a base64 text that a value alone decides, if the value begins at a byte whose number modulo 3 is `offset`:
 * the characters at both ends also hold bits of the neighbours.
 */
function base64Within(bytes: Buffer, offset: number): string[] {
  const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
  const whole = padded.toString("base64").replace(/=+$/, "");
  const from = Math.ceil((offset * 8) / 6);
  const to = Math.floor((padded.length * 8) / 6);
  const part = whole.slice(from, to);
  return part.length < 8 ? [] : [part, part.replaceAll("+", "-").replaceAll("/", "_")];
}

function pattern(): RegExp {
  const any = (texts: Iterable<string>): string =>
    [...texts]
      .sort((a, b) => b.length - a.length)
      .map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
      .join("|");
  const parts: string[] = [];
  if (known.words.size > 0) parts.push(`(?<![\\p{L}\\p{N}_])(?:${any(known.words)})(?![\\p{L}\\p{N}_])`);
  if (known.simple.size > 0)
    parts.push(
      `(?<=(?:[Pp]assword|PASSWORD|passwd|pwd|[Kk]ey)(?:["']?\\s*[=:]\\s*["']?|\\s+["']))(?:${any(known.simple)})(?![\\p{L}\\p{N}_])`,
    );
  // Without any secret, a pattern that matches nothing.
  return new RegExp(parts.length === 0 ? "(?!)" : parts.join("|"), "gu");
}
