import { UserError } from "../../contract/errors";
import { printable } from "../../contract/printable";
import { redact } from "../../contract/secrets";
import { pathOf, type NeonRequest } from "./requests";

/** How a request failed. */
interface NeonFailure {
  /** HTTP status. Left out when no answer came. */
  readonly status?: number;
  /** Name of the network error, e.g. `ECONNREFUSED`, when no answer came. */
  readonly code?: string;
  /** Id by which Neon's support finds the request. */
  readonly requestId?: string;
  /** The message in Neon's answer. */
  readonly neonMessage?: string;
  /** How long to wait according to the header `Retry-After`, in milliseconds. */
  readonly retryAfter?: number;
}

/** Stands for the name of a network error, when the answer was too large to be read. */
export const TOO_LARGE = "more than 32 MB";

/** Longest message of Neon, and longest name or id in an answer, that is shown, in characters. */
const LONGEST_MESSAGE = 1_000;
const LONGEST_NAME = 100;

/** A message in an answer, as it is shown. */
export function shownMessage(text: string): string {
  return printable(text, LONGEST_MESSAGE).replace(/[.\s]+$/, "");
}

/** A name or id in an answer, as it is shown. */
export function shownName(text: string): string {
  return printable(text, LONGEST_NAME);
}

/** Network errors that come before anything is sent: the request had no effect. */
const NOT_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"]);

/** Neon refused a request or did not answer it. The message says what to do, and never holds the API key. */
export class NeonError extends UserError {
  override readonly gone: boolean;
  readonly method: NeonRequest["method"];
  readonly path: string;
  /** HTTP status; `undefined` when no answer came. */
  readonly status: number | undefined;
  /** Name of the network error; `undefined` when an answer came. */
  readonly code: string | undefined;
  /** How long Neon asks to wait, in milliseconds; `undefined` when it does not say. */
  readonly retryAfter: number | undefined;

  constructor(request: NeonRequest, baseUrl: string, failure: NeonFailure) {
    super(redact(describe(request, baseUrl, failure)));
    this.gone = failure.status === 404;
    this.method = request.method;
    this.path = pathOf(request);
    this.status = failure.status;
    this.code = failure.code;
    this.retryAfter = failure.retryAfter;
  }

  /** Whether the request failed before anything was sent. */
  get notSent(): boolean {
    return this.code !== undefined && NOT_SENT.has(this.code);
  }

  /**
   * Whether a mutation may have taken effect although it failed: no answer came, or the answer is a server error. The
   * statuses 423, 429 and 503 exclude an effect, according to Neon's API document.
   */
  get outcomeUnknown(): boolean {
    if (this.method === "GET") return false;
    if (this.status === undefined) return !this.notSent;
    return this.status >= 500 && this.status !== 503;
  }
}

/** Neon answered with something else than its API documents. A mutation with such an answer may have taken effect. */
export class UnreadableAnswer extends UserError {
  constructor(request: NeonRequest, problem: string) {
    super(
      `Neon's answer to ${request.method} ${pathOf(request)} differs from its API documentation (${problem}): check NEON_API_URL, or update pulumi-neon-bemi.`,
    );
  }
}

/** Whether a mutation may have taken effect although its answer was lost, or cannot be read. */
export function isOutcomeUnknown(error: unknown): boolean {
  return error instanceof UnreadableAnswer || (error instanceof NeonError && error.outcomeUnknown);
}

/** An operation of Neon failed, or did not end in time. The mutation that started it may have taken effect. */
export class OperationError extends UserError {
  constructor(
    message: string,
    /**
     * Whether the operation still runs. Then Neon may finish it, and refuses other changes of the project until then.
     */
    readonly running: boolean,
  ) {
    super(message);
  }
}

function describe(request: NeonRequest, baseUrl: string, failure: NeonFailure): string {
  const call = `${request.method} ${pathOf(request)}`;
  if (failure.code === TOO_LARGE)
    return `Neon's answer to ${call} has ${TOO_LARGE}, which is not read: check NEON_API_URL (${baseUrl}).`;
  if (failure.status === undefined) {
    const cause = failure.code ?? "no answer";
    return `Neon's API at ${baseUrl} cannot be reached (${cause} on ${call}): check the network, and NEON_API_URL if you set it.`;
  }
  const id = failure.requestId === undefined ? "" : `, request id ${shownName(failure.requestId)}`;
  const message = failure.neonMessage === undefined ? "" : `: ${shownMessage(failure.neonMessage)}`;
  return `Neon answered ${failure.status} to ${call}${id}${message}. ${advice(request, failure)}`.trim();
}

/** What the user can do about a status. */
function advice(request: NeonRequest, { status = 0, retryAfter }: NeonFailure): string {
  const projectId = request.path[1];
  if (status === 401)
    return "The API key is missing, invalid or revoked: it is read from the configuration neon-bemi:apiKey, otherwise from the environment variable NEON_API_KEY.";
  if (status === 404) return notFound(request, projectId);
  if (status === 412)
    return `Project ${projectId} does not store passwords (store_passwords is off), so Neon cannot hand one out: use a project that stores them.`;
  if (status === 423)
    return `Another operation on project ${projectId} did not end in time: see its operations in Neon's console, then run this again.`;
  if (status === 429 || status === 503) {
    const wait = retryAfter === undefined ? "a few minutes" : `${Math.ceil(retryAfter / 1_000)} s`;
    return `Run this again in ${wait}.`;
  }
  if (isListChange(request) && status < 500)
    return "IP Allow needs Neon's Scale plan and a key that may change the project's settings.";
  if (status === 403)
    return `The API key may not do this: use a key of an organization admin, or of a member who may change project ${projectId}.`;
  if (status === 422 && request.method === "DELETE" && request.path.length === 4)
    return "The branch was not deleted: see it in Neon's console, then run this again.";
  if (status === 422 && request.method === "DELETE")
    return "The role was not deleted: it may own a database, or be protected. Clear that in Neon's console, then run this again.";
  if (status === 422) return "Neon refused the values: correct the value that it names, then run this again.";
  if (status >= 500) return "Run this again; if the error stays, give the request id to Neon's support.";
  return "";
}

function isListChange(request: NeonRequest): boolean {
  return (
    request.method === "PATCH" && "project" in request.body && "allowed_ips" in request.body.project.settings
  );
}

function notFound(request: NeonRequest, projectId: string): string {
  const [, , kind, name, part, partName] = request.path as readonly string[];
  if (kind === "branches" && name !== undefined) {
    const object =
      partName === undefined ? `branch ${name}` : `${part?.replace(/s$/, "") ?? "object"} ${partName}`;
    return `Check that ${object} exists in project ${projectId}, and that the API key can see it.`;
  }
  if (kind === "connection_uri")
    return `Check that the branch, database and role exist in project ${projectId}.`;
  return `Check projectId (${projectId}), and that the API key can see this project.`;
}
