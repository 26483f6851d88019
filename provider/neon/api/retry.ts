import type { Clock } from "../../contract/clock";
import { backoff } from "./backoff";
import { NeonError, TOO_LARGE } from "./errors";

const SECOND = 1_000;

/** Each reason to repeat a request, with how long the request is repeated for it, in milliseconds. */
const PATIENCE = {
  /** 423: a conflicting operation runs, and the request had no effect. Neon's own maintenance takes minutes. */
  locked: 300 * SECOND,
  /** 429 and 503: the request had no effect. */
  busy: 120 * SECOND,
  /** A read got a server error or no answer. Long enough for a short disturbance, short enough for a wrong URL. */
  failedRead: 15 * SECOND,
  /** Nothing was sent: no server listens at the address, or its name is unknown. */
  refused: 4 * SECOND,
} as const;

type Reason = keyof typeof PATIENCE;

/** How long one request is repeated at most, for all reasons together, in milliseconds. */
const LONGEST = 600 * SECOND;

/** Why it is safe and useful to send the request again unchanged; `undefined` when it is not. */
function reasonToRepeat(error: NeonError): Reason | undefined {
  if (error.status === 423) return "locked";
  if (error.status === 429 || error.status === 503) return "busy";
  if (error.notSent) return "refused";
  if (error.code === TOO_LARGE) return undefined;
  if (error.method === "GET" && (error.status === undefined || error.status === 408 || error.status >= 500))
    return "failedRead";
  return undefined;
}

/** Longest wait that a `Retry-After` header can ask for, in milliseconds: a day. Whatever is longer counts as a day. */
const LONGEST_WAIT = 86_400 * SECOND;

/**
 * The wait that a `Retry-After` header asks for, in milliseconds. The header holds seconds or an HTTP date.
 *
 * @param now milliseconds since 1970
 */
export function parseRetryAfter(header: unknown, now: number): number | undefined {
  if (typeof header !== "string" || header.trim() === "") return undefined;
  const wait = /^\s*\d+\s*$/.test(header) ? Number(header) * SECOND : Date.parse(header) - now;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(0, wait), LONGEST_WAIT);
}

/** Decides for one request whether it is sent again after a failure, and when. */
export class Patience {
  readonly #begin: number;
  #reason: Reason | undefined;
  /** When the first attempt that failed for the present reason began. */
  #since: number;
  #attempts = 0;

  constructor(private readonly clock: Clock) {
    this.#begin = this.#since = clock.now();
  }

  /** How much longer a read waits for an answer before it gives up, in milliseconds. */
  get left(): number {
    return this.#reason === "failedRead"
      ? this.#since + PATIENCE.failedRead - this.clock.now()
      : PATIENCE.failedRead;
  }

  /**
   * Milliseconds to wait before the request is sent again; `undefined` when it must not be sent again, or no longer.
   *
   * @param begun when the attempt that failed began
   */
  next(error: unknown, begun: number): number | undefined {
    if (!(error instanceof NeonError)) return undefined;
    const reason = reasonToRepeat(error);
    if (reason === undefined) return undefined;
    if (reason !== this.#reason) {
      this.#reason = reason;
      this.#since = begun;
      this.#attempts = 0;
    }
    const wait = (error.retryAfter ?? 0) + backoff(this.#attempts++);
    const now = this.clock.now();
    const end = Math.min(this.#since + PATIENCE[reason], this.#begin + LONGEST);
    return now + wait > end ? undefined : wait;
  }
}
