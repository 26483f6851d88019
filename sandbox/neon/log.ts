import { appendFileSync, writeFileSync } from "node:fs";

/** One line of the request log. */
export interface LoggedExchange {
  /** ISO 8601. */
  readonly time: string;
  readonly method: string;
  /** The path as the client sent it, without the API prefix. */
  readonly path: string;
  readonly query: Readonly<Record<string, unknown>>;
  /**
   * Status of the answer, also if a fault cut the connection before the answer was sent. `null` if a fault cut the
   * connection before there was an answer.
   */
  readonly status: number | null;
  readonly requestBody: unknown;
  readonly responseBody: unknown;
  readonly durationMs: number;
  readonly requestId: string;
  /** Header `User-Agent`, which tells the clients apart. No other header is logged. */
  readonly userAgent: string | null;
  /** Kinds of the faults that applied to this request. Left out if there were none. */
  readonly faults?: readonly string[];
}

const MASK = "[masked]";

/**
 * The file with every request to the emulator, one JSON object a line. A line is complete before the client gets its
 * answer.
 */
export class RequestLog {
  constructor(private readonly path: string) {
    writeFileSync(path, "");
  }

  append(exchange: LoggedExchange): void {
    appendFileSync(this.path, `${JSON.stringify(mask(exchange))}\n`);
  }
}

/** The value with passwords, API keys and passwords in URIs masked. The types of all values stay the same. */
export function mask(value: unknown): unknown {
  if (typeof value === "string") return maskText(value);
  if (Array.isArray(value)) return value.map(mask);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]: [string, unknown]) => [
      key,
      key === "password" && typeof inner === "string" ? MASK : mask(inner),
    ]),
  );
}

function maskText(text: string): string {
  return text
    .replace(/(postgres(?:ql)?:\/\/[^:@/\s]+:)[^@\s]+@/g, `$1${MASK}@`)
    .replace(/\b(?:npg|napi)_[A-Za-z0-9]+/g, MASK);
}
