import { readFileSync } from "node:fs";
import { z } from "zod";
import type { OperationAction } from "./wire";

/** Of the operations that the emulator schedules. */
const ACTIONS = [
  "apply_config",
  "create_branch",
  "create_timeline",
  "delete_timeline",
  "start_compute",
  "suspend_compute",
  "timeline_update_protected_config",
] as const satisfies readonly OperationAction[];

/** What the emulator can be made to do wrong; `docs/sandbox.md` explains each. */
const fault = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("answer"),
    status: z.int().min(400).max(599),
    message: z.string().optional(),
    code: z.string().optional(),
    retryAfter: z
      .strictObject({
        seconds: z.number().min(0),
        as: z.enum(["seconds", "date"]).default("seconds"),
      })
      .optional(),
    when: z.enum(["before", "after"]).default("before"),
  }),
  z.strictObject({ kind: z.literal("delay"), ms: z.int().min(0) }),
  z.strictObject({ kind: z.literal("cut"), when: z.enum(["before", "after"]) }),
  z.strictObject({
    kind: z.literal("operation"),
    outcome: z.enum(["failed", "error", "cancelled", "skipped", "retried", "stuck"]),
    action: z.enum(ACTIONS).optional(),
    error: z.string().default("the sandbox was told to let this operation fail"),
  }),
  z.strictObject({
    kind: z.literal("otherWriter"),
    allowedIps: z.strictObject({ ips: z.array(z.string()), protected_branches_only: z.boolean() }),
    when: z.enum(["before", "after"]),
  }),
  z.strictObject({
    kind: z.literal("rateLimit"),
    requests: z.int().min(1),
    perSeconds: z.number().positive(),
  }),
]);

const rule = z
  .strictObject({
    method: z.enum(["GET", "POST", "PATCH", "DELETE", "*"]),
    /** Template without the API prefix, as in Neon's documentation: `/projects/{project_id}`; or `*`. */
    route: z.string(),
    /** Leave this many matching requests alone first. */
    skip: z.int().min(0).default(0),
    times: z.int().min(1).optional(),
    forMs: z.int().min(1).optional(),
    fault,
  })
  .refine((value) => value.times === undefined || value.forMs === undefined, {
    error: "give times or forMs, not both",
  });

const script = z.strictObject({ faults: z.array(rule) });

export type Fault = z.output<typeof fault>;
type Rule = z.output<typeof rule>;

/** How the operations of one request end. */
export type OperationFault = Extract<Fault, { kind: "operation" }> & {
  /** Resolves when another script is set: lets go of what is stuck. */
  readonly released: Promise<void>;
};

/** A fault script that cannot be used; the message says where and why. */
export class FaultScriptError extends Error {
  override readonly name = "FaultScriptError";
}

interface ActiveRule {
  readonly rule: Rule;
  met: number;
  firstHit?: number;
  /** Times of the recent requests of a rate limit, by method and route. */
  readonly recent: Map<string, number[]>;
}

/** The faults that are set, and what is left of them. */
export class Faults {
  private rules: ActiveRule[] = [];
  private release: () => void = () => undefined;
  released: Promise<void> = Promise.resolve();

  /** @param routes those that rules may name */
  constructor(private readonly routes: readonly { readonly method: string; readonly path: string }[]) {
    this.reset([]);
  }

  /** Replaces all rules and lets go of stuck operations. */
  set(value: unknown): void {
    const parsed = script.safeParse(value);
    if (!parsed.success)
      throw new FaultScriptError(`The fault script is not valid: ${z.prettifyError(parsed.error)}`);
    const idle = parsed.data.faults.find(
      (each) => !this.routes.some(({ method, path }) => matches(each, method, path)),
    );
    if (idle !== undefined)
      throw new FaultScriptError(
        `The fault script names a route that the sandbox does not have: ${idle.method} ${idle.route}. ` +
          `It has: ${this.routes.map(({ method, path }) => `${method} ${path}`).join(", ")}.`,
      );
    this.reset(parsed.data.faults);
  }

  load(path: string): void {
    let value: unknown;
    try {
      value = JSON.parse(readFileSync(path, "utf8"));
    } catch (error) {
      throw new FaultScriptError(`The fault script ${path} cannot be read as JSON: ${String(error)}`);
    }
    this.set(value);
  }

  /** What this request runs into. Counts it. */
  hit(method: string, route: string): Fault[] {
    return this.rules
      .filter((active) => matches(active.rule, method, route) && takes(active, `${method} ${route}`))
      .map((active) => active.rule.fault);
  }

  private reset(rules: readonly Rule[]): void {
    this.release();
    this.rules = rules.map((each) => ({ rule: each, met: 0, recent: new Map<string, number[]>() }));
    this.released = new Promise((resolve) => {
      this.release = resolve;
    });
  }
}

function matches(rule: Rule, method: string, route: string): boolean {
  return (rule.method === "*" || rule.method === method) && (rule.route === "*" || rule.route === route);
}

function takes(active: ActiveRule, key: string): boolean {
  const { rule } = active;
  active.met += 1;
  if (active.met <= rule.skip) return false;
  const now = Date.now();
  if (rule.fault.kind === "rateLimit") {
    const since = now - rule.fault.perSeconds * 1000;
    const recent = (active.recent.get(key) ?? []).filter((time) => time > since);
    const over = recent.length >= rule.fault.requests;
    if (!over) recent.push(now);
    active.recent.set(key, recent);
    return over;
  }
  if (rule.forMs !== undefined) {
    active.firstHit ??= now;
    return now - active.firstHit < rule.forMs;
  }
  return active.met <= rule.skip + (rule.times ?? 1);
}
