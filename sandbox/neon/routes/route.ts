import * as z from "zod";
import { ApiError } from "../errors";
import type { OperationFault } from "../faults";
import type { KeyKind } from "../keys";

/** The parts of a request that a handler uses. */
export interface Call {
  readonly params: Readonly<Record<string, string>>;
  readonly query: unknown;
  /** `undefined` if the client sent no body. */
  readonly body: unknown;
  readonly key: KeyKind;
  /** The fault that says how the operations of this request end. */
  readonly operationFault?: OperationFault;
}

export interface Answer {
  readonly status: number;
  /** Left out for status 204. */
  readonly body?: object;
}

export interface Route {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Template as in Neon's documentation: `/projects/{project_id}`. */
  readonly path: string;
  readonly handle: (call: Call) => Answer | Promise<Answer>;
}

export const NO_CONTENT: Answer = { status: 204 };

export function ok(body: object): Answer {
  return { status: 200, body };
}

export function created(body: object): Answer {
  return { status: 201, body };
}

/** The value of a parameter in the path. */
export function param(call: Call, name: string): string {
  return call.params[name] ?? "";
}

/**
 * The query or body in the shape that the handler needs.
 *
 * @throws ApiError 400 if it has another shape
 */
export function checked<Output>(schema: z.ZodType<Output>, value: unknown): Output {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join(".")}: ${message}`,
  );
  throw new ApiError(400, `invalid request: ${problems.join("; ")}`);
}

/** The parameter `limit` of a query, from 1 to `most`. */
export function limit(most: number, defaultValue: number) {
  return z.coerce.number().int().min(1).max(most).default(defaultValue);
}

/** A parameter of a query that is `true` or `false`. */
export const flag = z.enum(["true", "false"]).transform((value) => value === "true");

/**
 * One page of a list.
 *
 * @param cursor from the page before; it contains the id of its last item
 * @returns the page, its cursor (also for the last page, unless that is empty), and whether more pages follow
 * @throws ApiError 400 if the cursor is not valid
 */
export function page<Item extends { readonly id: string }>(
  items: readonly Item[],
  size: number,
  cursor: string | undefined,
): { items: Item[]; cursor?: string; more: boolean } {
  let from = 0;
  if (cursor !== undefined) {
    const last = Buffer.from(cursor, "base64url").toString();
    from = items.findIndex((item) => item.id === last) + 1;
    if (from === 0) throw new ApiError(400, "invalid cursor");
  }
  const found = items.slice(from, from + size);
  const end = found.at(-1);
  return {
    items: found,
    cursor: end && Buffer.from(end.id).toString("base64url"),
    more: from + size < items.length,
  };
}
