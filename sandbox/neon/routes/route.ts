import { z } from "zod";
import { ApiError } from "../errors";
import type { OperationFault } from "../faults";
import type { KeyKind } from "../keys";

/** One request, as far as a handler is concerned. */
export interface Call {
  readonly params: Readonly<Record<string, string>>;
  readonly query: unknown;
  /** `undefined` where the client sent none. */
  readonly body: unknown;
  readonly key: KeyKind;
  /** How the operations that this request schedules shall end. */
  readonly operationFault?: OperationFault;
}

export interface Answer {
  readonly status: number;
  /** Left out with 204. */
  readonly body?: object;
}

export interface Route {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** As in Neon's documentation: `/projects/{project_id}`. */
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

/** A parameter of the route's path. */
export function param(call: Call, name: string): string {
  return call.params[name] ?? "";
}

/** The query or body in the shape that the handler needs; 400 if it has another. */
export function checked<Output>(schema: z.ZodType<Output>, value: unknown): Output {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join(".")}: ${message}`,
  );
  throw new ApiError(400, `invalid request: ${problems.join("; ")}`);
}

/** `limit` of a query. */
export function limit(most: number, fallback: number) {
  return z.coerce.number().int().min(1).max(most).default(fallback);
}

/** `true` or `false` in a query. */
export const flag = z.enum(["true", "false"]).transform((value) => value === "true");

/**
 * One page of a list. The cursor names the last item seen.
 * @returns the page, and its cursor, also on the last page as long as it has items
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
