import { randomUUID } from "node:crypto";
import { Agent } from "node:https";
import { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import axios, { type AxiosInstance, type AxiosResponse } from "axios";
import * as z from "zod";
import { UserError } from "../../contract/errors";
import { secret } from "../../contract/secrets";
import type { Clock } from "../../contract/clock";
import { NeonError, TOO_LARGE } from "./errors";
import { pathOf, routeOf, type NeonRequest } from "./requests";
import { parseRetryAfter, Patience } from "./retry";

/** How long one attempt of a read or of a mutation may take, including the connection, in milliseconds. */
const READ_TIMEOUT = 10_000;
const WRITE_TIMEOUT = 30_000;

/**
 * Largest answer that is read, in bytes after decompression. The largest page, of 1,000 branches, has about 1 MB. Without
 * a limit, an address that is not Neon's could fill the memory of the machine.
 */
const LARGEST_ANSWER = 32 * 1024 * 1024;

/*
 * Neon allows 700 requests a minute and bursts of 40 a second per route. Both figures here stay below that: one request
 * per route every INTERVAL milliseconds on average, and at most BURST requests at once.
 */
const INTERVAL = 100;
const BURST = 20;

/** Waits shorter than this are not logged, in milliseconds. */
const WORTH_A_LINE = 2_000;
/** Time between two logged waits at least, in milliseconds. */
const LINES_APART = 30_000;

/** A field of another type is left out, so that the other one is still shown. */
const errorBody = z.object({
  request_id: z.string().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
});

interface TransportOptions {
  /** Without a trailing slash, e.g. `https://console.neon.tech/api/v2`. */
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly clock: Clock;
  /** Prints one line in the terminal about a long wait. */
  readonly log: (message: string) => void;
  /** Called before and after every wait. Throws when the work should end. */
  readonly checkpoint: () => void;
}

/** Sends requests to Neon's API, stays below its rate limit, and turns every failure into a {@link NeonError}. */
export class Transport {
  readonly #http: AxiosInstance;
  readonly #baseUrl: string;
  readonly #local: boolean;
  readonly #key: string;
  /** By route, the time until which the requests so far use up the allowance, in milliseconds since 1970. */
  readonly #routes = new Map<string, number>();
  #lastLine = 0;

  constructor(private readonly options: TransportOptions) {
    const { url, local } = checkedUrl(options.baseUrl);
    this.#baseUrl = url;
    this.#local = local;
    this.#key = checkedKey(options.apiKey);
    this.#http = axios.create({
      baseURL: this.#baseUrl,
      // A redirect would take the key to another host.
      maxRedirects: 0,
      maxContentLength: LARGEST_ANSWER,
      // HTTP_PROXY would be given the key in clear, for an address that is on this machine. An https:// URL goes through
      // HTTPS_PROXY, if there is one, as a tunnel: the proxy sees the name of the host and nothing else.
      ...(local ? { proxy: false as const } : {}),
      // Not left to NODE_TLS_REJECT_UNAUTHORIZED. Apart from that, the agent is like the one that Node.js uses itself.
      httpsAgent: new Agent({
        rejectUnauthorized: true,
        keepAlive: true,
        scheduling: "lifo",
        timeout: 5_000,
      }),
      validateStatus: () => true,
      headers: { Accept: "application/json", "User-Agent": "pulumi-neon-bemi" },
    });
  }

  /** Sends the request, repeats it where {@link Patience} allows it, and returns the body of the answer. */
  async send(request: NeonRequest): Promise<unknown> {
    const patience = new Patience(this.options.clock);
    for (;;) {
      const begun = this.options.clock.now();
      try {
        return await this.once(request, patience.left);
      } catch (error) {
        const wait = patience.next(error, begun);
        if (wait === undefined) throw error;
        await this.pause(wait, error);
      }
    }
  }

  /**
   * Sends the request once, and returns the body of the answer.
   *
   * @param timeLeft how long a read may wait for the answer, in milliseconds; a mutation has its own limit
   */
  async once(request: NeonRequest, timeLeft = READ_TIMEOUT): Promise<unknown> {
    await this.#turn(routeOf(request));
    const timeout =
      request.method === "GET"
        ? Math.round(Math.max(1_000, Math.min(READ_TIMEOUT, timeLeft)))
        : WRITE_TIMEOUT;
    const requestId = randomUUID();
    let answer: AxiosResponse<unknown>;
    try {
      answer = await this.#http.request<unknown>({
        method: request.method,
        url: pathOf(request),
        params: request.method === "GET" ? request.query : undefined,
        data: "body" in request ? request.body : undefined,
        headers: {
          Authorization: `Bearer ${this.#key}`,
          "X-Request-ID": requestId,
          // Set even without a body: otherwise axios sends the content type of a form, which not every server accepts.
          ...(request.method === "GET" ? {} : { "Content-Type": "application/json" }),
        },
        signal: AbortSignal.timeout(timeout),
      });
    } catch (error) {
      if (!axios.isAxiosError(error)) throw error;
      // The error of axios holds the request's headers with the API key, so it must not be passed on.
      const code = axios.isCancel(error)
        ? `no answer within ${Math.round(timeout / 1_000)} s`
        : error.message.startsWith("maxContentLength")
          ? TOO_LARGE
          : error.code;
      throw new NeonError(request, this.#baseUrl, { code, requestId });
    }
    if (!this.#local && isUnencrypted(answer.request))
      throw new NeonError(request, this.#baseUrl, { code: `the proxy refused with ${answer.status}` });
    if (answer.status >= 200 && answer.status < 300) return answer.data;
    const body = errorBody.safeParse(answer.data).data;
    throw new NeonError(request, this.#baseUrl, {
      status: answer.status,
      requestId: body?.request_id ?? requestId,
      neonMessage: body?.message,
      retryAfter: parseRetryAfter(answer.headers["retry-after"], this.options.clock.now()),
    });
  }

  /**
   * Waits before another attempt, and logs a long wait.
   *
   * @param cause the failure that makes the wait necessary
   */
  async pause(milliseconds: number, cause: unknown): Promise<void> {
    const now = this.options.clock.now();
    if (milliseconds >= WORTH_A_LINE && now - this.#lastLine >= LINES_APART && cause instanceof NeonError) {
      this.#lastLine = now;
      const why = cause.status === undefined ? (cause.code ?? "no answer") : String(cause.status);
      this.options.log(`Waiting for Neon (${why} to ${cause.method} ${cause.path}) before trying again`);
    }
    this.options.checkpoint();
    await this.options.clock.sleep(milliseconds);
    this.options.checkpoint();
  }

  /** Waits until the rate limit of the route allows one more request. */
  async #turn(route: string): Promise<void> {
    const now = this.options.clock.now();
    const usedUp = Math.max(now, this.#routes.get(route) ?? 0) + INTERVAL;
    this.#routes.set(route, usedUp);
    const wait = usedUp - BURST * INTERVAL - now;
    if (wait > 0) await this.options.clock.sleep(wait);
  }
}

/**
 * Whether an answer came without TLS, which only a proxy can do that refuses the tunnel to Neon: axios passes its answer
 * on like one of the server. Taken for Neon's, a 404 of a proxy would mean that an object is gone.
 */
function isUnencrypted(request: unknown): boolean {
  const socket =
    typeof request === "object" && request !== null && "socket" in request ? request.socket : null;
  return socket instanceof Socket && !(socket instanceof TLSSocket);
}

/**
 * The API key is sent in a header. Only on this machine may it be sent without encryption. A user or password in the URL
 * would replace the key, a query would swallow the paths, and both would be shown in messages.
 */
function checkedUrl(text: string): { readonly url: string; readonly local: boolean } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const local = url !== undefined && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  const where = "NEON_API_URL (or the configuration neon-bemi:apiUrl)";
  if (url !== undefined && (url.username !== "" || url.password !== "" || /[?#]/.test(text))) {
    throw new UserError(
      `${where} must be an address without user, password, query and fragment. Neon's API takes the API key only.`,
    );
  }
  if (url === undefined || !(url.protocol === "https:" || (url.protocol === "http:" && local))) {
    throw new UserError(
      `The URL of Neon's API "${text}" cannot be used: ${where} must be an https:// URL, or http:// on this machine.`,
    );
  }
  return { url: text.replace(/\/+$/, ""), local };
}

/** A pasted key can end with a line break. Other characters that a header cannot hold are a mistake. */
function checkedKey(text: string): string {
  const key = secret(text.trim());
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new UserError(
    "The Neon API key is empty, or contains spaces or other characters that no key of Neon's has: copy it again into NEON_API_KEY or the configuration neon-bemi:apiKey.",
  );
}
