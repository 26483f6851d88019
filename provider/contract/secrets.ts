/**
 * Every secret this process has met, so that none of them leaves it in an error or a log line. Secrets shorter than
 * four characters are not registered: replacing them would only garble the text.
 */
const known = new Set<string>();

/** What stands where a secret was. */
const REDACTED = "[secret]";

/** Registers a secret and returns it. */
export function secret(value: string): string {
  if (value.length >= 4) {
    known.add(value);
    known.add(encodeURIComponent(value));
  }
  return value;
}

/** The text without any registered secret, nor a password in a connection URI, nor anything that looks like Neon's. */
export function redact(text: string): string {
  let clean = text;
  for (const value of [...known].sort((a, b) => b.length - a.length))
    clean = clean.replaceAll(value, REDACTED);
  return clean
    .replace(/(postgres(?:ql)?:\/\/[^:@/\s]+:)[^@\s]+@/g, `$1${REDACTED}@`)
    .replace(/\b(?:npg|napi)_[A-Za-z0-9_-]+/g, REDACTED);
}
