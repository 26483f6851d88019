import { readFileSync } from "node:fs";
import * as z from "zod";
import { sqlRules, type ControlPlaneFault, type LoginFault } from "./sqlFaults";
import type { OperationAction } from "./wire";

/** The actions of the operations that the emulator schedules. */
const ACTIONS = [
  "apply_config",
  "create_branch",
  "create_timeline",
  "delete_timeline",
  "start_compute",
  "suspend_compute",
  "timeline_update_protected_config",
] as const satisfies readonly OperationAction[];

/** The faults that can be set. `docs/sandbox.md` explains each. */
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

/** How often a fault applies. */
const occasions = {
  /** How many matching events pass before the fault begins. */
  skip: z.int().min(0).default(0),
  times: z.int().min(1).optional(),
  forMs: z.int().min(1).optional(),
};

const requestRule = z.strictObject({
  on: z.literal("request"),
  method: z.enum(["GET", "POST", "PATCH", "DELETE", "*"]),
  /** Template of the path without the API prefix, as in Neon's documentation: `/projects/{project_id}`; or `*`. */
  route: z.string(),
  fault,
  ...occasions,
});

/** A rule is about requests unless it says otherwise. */
function withOn(value: unknown): unknown {
  return typeof value === "object" && value !== null ? { on: "request", ...value } : value;
}

const rule = z.preprocess(
  withOn,
  z
    .discriminatedUnion("on", [
      requestRule,
      sqlRules.login.extend(occasions),
      sqlRules.roles.extend(occasions),
    ])
    .refine((value) => value.times === undefined || value.forMs === undefined, {
      error: "give times or forMs, not both",
    }),
);

const script = z.strictObject({ faults: z.array(rule) });

export type Fault = z.output<typeof fault>;
type RequestRule = z.output<typeof requestRule>;
type Rule = z.output<typeof rule>;

/** The fault that says how the operations of one request end. */
export type OperationFault = Extract<Fault, { kind: "operation" }> & {
  /** Resolves when another script is set. Stuck operations wait for it. */
  readonly released: Promise<void>;
};

/** The fault script cannot be used. The message says where and why. */
export class FaultScriptError extends Error {
  override readonly name = "FaultScriptError";
}

interface ActiveRule {
  readonly rule: Rule;
  /** Number of matching requests so far. */
  met: number;
  /** When the fault first applied, in milliseconds since 1970. */
  firstHit?: number;
  /** For a rate limit: by method and route, the times of the recent requests. */
  readonly recent: Map<string, number[]>;
}

/** The faults that are set, and how often each has applied. */
export class Faults {
  private rules: ActiveRule[] = [];
  private release: () => void = () => undefined;
  /** Resolves when another script is set. */
  released: Promise<void> = Promise.resolve();

  /** @param routes the routes that a rule may name */
  constructor(private readonly routes: readonly { readonly method: string; readonly path: string }[]) {
    this.reset([]);
  }

  /**
   * Replaces all rules, and lets stuck operations go on.
   *
   * @throws FaultScriptError if the script is not valid; then the present rules stay
   */
  set(value: unknown): void {
    const parsed = script.safeParse(value);
    if (!parsed.success)
      throw new FaultScriptError(`The fault script is not valid: ${z.prettifyError(parsed.error)}`);
    const unknown = parsed.data.faults
      .filter((each) => each.on === "request")
      .find((each) => !this.routes.some(({ method, path }) => matches(each, method, path)));
    if (unknown !== undefined)
      throw new FaultScriptError(
        `The fault script names a route that the sandbox does not have: ${unknown.method} ${unknown.route}. ` +
          `It has: ${this.routes.map(({ method, path }) => `${method} ${path}`).join(", ")}.`,
      );
    this.reset(parsed.data.faults);
  }

  /**
   * {@link set} with a script from a file.
   *
   * @throws FaultScriptError if the file cannot be read, or the script is not valid
   */
  load(path: string): void {
    let value: unknown;
    try {
      value = JSON.parse(readFileSync(path, "utf8"));
    } catch (error) {
      throw new FaultScriptError(`The fault script ${path} cannot be read as JSON: ${String(error)}`);
    }
    this.set(value);
  }

  /** The faults that apply to this request. Counts the request. */
  hit(method: string, route: string): Fault[] {
    return this.hits(
      (each) => (each.on === "request" && matches(each, method, route) ? each.fault : undefined),
      `${method} ${route}`,
    );
  }

  /** The fault that applies to this login. Counts the login. */
  hitLogin(role: string): LoginFault | undefined {
    return this.hits(
      (each) => (each.on === "login" && (each.role ?? role) === role ? each.fault : undefined),
      "login",
    )[0];
  }

  /** The fault that applies to this transaction with a statement about a role. Counts the transaction. */
  hitRoles(): ControlPlaneFault | undefined {
    return this.hits((each) => (each.on === "roles" ? each.fault : undefined), "roles")[0];
  }

  /** @param faultOf the fault of a rule that matches what happens now, otherwise `undefined` */
  private hits<Found>(faultOf: (rule: Rule) => Found | undefined, key: string): Found[] {
    return this.rules.flatMap((active) => {
      const found = faultOf(active.rule);
      return found !== undefined && applies(active, key) ? [found] : [];
    });
  }

  private reset(rules: readonly Rule[]): void {
    this.release();
    this.rules = rules.map((each) => ({ rule: each, met: 0, recent: new Map<string, number[]>() }));
    this.released = new Promise((resolve) => {
      this.release = resolve;
    });
  }
}

function matches(rule: RequestRule, method: string, route: string): boolean {
  return (rule.method === "*" || rule.method === method) && (rule.route === "*" || rule.route === route);
}

/** Counts a matching request, and says whether the fault applies to it. */
function applies(active: ActiveRule, key: string): boolean {
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
