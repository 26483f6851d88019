/**
 * Messages of PostgreSQL's protocol, as far as the front door reads and writes them.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

/** Bytes before the content: the type, and the length of everything after the type. */
const HEAD = 5;

export interface Message {
  /** One letter. */
  readonly type: string;
  readonly content: Buffer;
  /** The whole message. */
  readonly bytes: Buffer;
}

/** The message that begins there; `undefined` if its end has not arrived yet. */
export function messageAt(data: Buffer, at: number): Message | undefined {
  if (data.length < at + HEAD) return undefined;
  const end = at + 1 + data.readInt32BE(at + 1);
  if (data.length < end) return undefined;
  const bytes = data.subarray(at, end);
  return { type: String.fromCharCode(data[at] ?? 0), content: bytes.subarray(HEAD), bytes };
}

export function message(type: string, content: Buffer | string): Buffer {
  const body = Buffer.from(content);
  const head = Buffer.alloc(HEAD);
  head.write(type);
  head.writeInt32BE(body.length + HEAD - 1, 1);
  return Buffer.concat([head, body]);
}

/** A simple query. */
export function query(statement: string): Buffer {
  return message("Q", `${statement}\0`);
}

/** ReadyForQuery outside any transaction. */
export const READY_IDLE = message("Z", "I");

/**
 * ErrorResponse as Neon's proxy writes it: severity ERROR, also for an error that ends the connection, SQLSTATE XX000,
 * and nothing besides the message.
 */
export function proxyError(text: string): Buffer {
  return message("E", `SERROR\0CXX000\0M${text}\0\0`);
}

/** The message text of an ErrorResponse. */
export function errorText({ content }: Message): string {
  const field = content
    .toString("utf8")
    .split("\0")
    .find((each) => each.startsWith("M"));
  return field?.slice(1) ?? "";
}
