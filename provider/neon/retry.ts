import type { Clock } from "../contract/clock";
import { backoff } from "./clock";
import { NeonError } from "./errors";

const SECOND = 1_000;

/** Why a request is worth repeating, with how long that is tried, in milliseconds. */
const PATIENCE = {
  /** 423: a conflicting operation runs. Neon's own maintenance takes minutes; a 423 has had no effect. */
  locked: 300 * SECOND,
  /** 429 and 503: no effect either. */
  busy: 120 * SECOND,
  /** A read that was not answered, or with a server error: long enough for a hiccup, short enough for a typo. */
  flaky: 15 * SECOND,
  /** Nothing was sent, as nobody listens or the name is unknown. */
  refused: 4 * SECOND,
} as const;

type Reason = keyof typeof PATIENCE;

/** Whatever the mix of reasons. */
const LONGEST = 600 * SECOND;

/** Why the request may be sent again as it is; `undefined`: it may not. */
export function reasonToRepeat(error: NeonError): Reason | undefined {
  if (error.status === 423) return "locked";
  if (error.status === 429 || error.status === 503) return "busy";
  if (error.notSent) return "refused";
  if (error.method === "GET" && (error.status === undefined || error.status === 408 || error.status >= 500))
    return "flaky";
  return undefined;
}

/** `Retry-After`, in seconds or as an HTTP date, in milliseconds from now. */
export function parseRetryAfter(header: unknown, now: number): number | undefined {
  if (typeof header !== "string" || header.trim() === "") return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * SECOND);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** The patience of one request: how often and how long it is repeated. */
export class Patience {
  readonly #begin: number;
  #reason: Reason | undefined;
  /** When the first try that failed for the present reason was begun. */
  #since: number;
  #tries = 0;

  constructor(private readonly clock: Clock) {
    this.#begin = this.#since = clock.now();
  }

  /** Milliseconds until a read gives up for want of an answer. */
  get left(): number {
    return this.#reason === "flaky" ? this.#since + PATIENCE.flaky - this.clock.now() : PATIENCE.flaky;
  }

  /**
   * Milliseconds to wait before the request is sent again; `undefined` says that it must not, or no longer.
   *
   * @param begun when the try that failed was begun
   */
  next(error: unknown, begun: number): number | undefined {
    if (!(error instanceof NeonError)) return undefined;
    const reason = reasonToRepeat(error);
    if (reason === undefined) return undefined;
    if (reason !== this.#reason) {
      this.#reason = reason;
      this.#since = begun;
      this.#tries = 0;
    }
    const wait = error.retryAfter === undefined ? backoff(this.#tries++) : error.retryAfter + backoff(0);
    const now = this.clock.now();
    const end = Math.min(this.#since + PATIENCE[reason], this.#begin + LONGEST);
    return now + wait > end ? undefined : wait;
  }
}
