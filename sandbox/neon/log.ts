import { appendFileSync, writeFileSync } from "node:fs";

/** One line of the request log. */
export interface LoggedExchange {
  /** ISO 8601. */
  readonly time: string;
  readonly method: string;
  /** Without the API prefix, as the client sent it. */
  readonly path: string;
  readonly query: Readonly<Record<string, unknown>>;
  /** Of the answer that was made, also where a fault then cut the connection; `null` where it was cut before. */
  readonly status: number | null;
  readonly requestBody: unknown;
  readonly responseBody: unknown;
  readonly durationMs: number;
  readonly requestId: string;
  /** Which client it was. Of the headers nothing else is kept. */
  readonly userAgent: string | null;
  /** Kinds of the faults that this request ran into. */
  readonly faults?: readonly string[];
}

const MASK = "[masked]";

/** The file with every request to the emulator, one JSON object a line, readable as soon as the answer is. */
export class RequestLog {
  constructor(private readonly path: string) {
    writeFileSync(path, "");
  }

  append(exchange: LoggedExchange): void {
    appendFileSync(this.path, `${JSON.stringify(mask(exchange))}\n`);
  }
}

/** The value without passwords, API keys and passwords in URIs; everything keeps its type. */
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
