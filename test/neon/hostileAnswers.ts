import fc from "fast-check";
import type { Reply, SeenRequest } from "./api/scriptedApi";

export const PROJECT = "cool-darkness-123456";
export const BRANCH = "br-cool-sea-123456";
const ENDPOINT = "ep-cool-sea-123456";
/** A branch that the module has made, and its mark. */
export const OWN_BRANCH = { id: "br-own-123456", name: "pr-7", created_at: "2026-11-27T01:00:00Z" };
export const OWN_ANNOTATION = { "pulumi-neon-bemi": "shop/pr-7/branch", "pulumi-neon-bemi-id": "id-1" };
const OTHERS_ADDRESS = "198.51.100.1";

/** A small Neon that answers every request of this module as Neon documents it. */
export class SmallNeon {
  readonly #roles = new Map<string, string>([["owner", "owners-password-1"]]);
  #ips: readonly string[] = [OTHERS_ADDRESS];
  #logical = false;
  #madeBranch = false;

  /**
   * @param roles that exist besides the owner
   * @param madeBranch whether the module's own branch exists
   */
  constructor(roles: readonly string[] = [], madeBranch = false) {
    this.#madeBranch = madeBranch;
    for (const role of roles) this.#roles.set(role, `password-of-${role}-1`);
  }

  answer({ method, url, body }: SeenRequest): { readonly status: number; readonly body: unknown } {
    const path = (url.split("?", 1)[0] ?? "").split("/").slice(3).map(decodeURIComponent);
    const [kind, id, part, name, action] = path;
    const operation = { id: "op-1", action: "apply_config", status: "finished", failures_count: 0 };
    const ok = (answer: object): { status: number; body: object } => ({ status: 200, body: answer });
    if (kind === undefined) {
      if (method === "PATCH") this.#change(body);
      const allowed_ips = { ips: this.#ips, protected_branches_only: false };
      const settings = { enable_logical_replication: this.#logical, allowed_ips };
      const project = { id: PROJECT, store_passwords: true, settings };
      return ok(method === "PATCH" ? { project, operations: [operation] } : { project });
    }
    if (kind === "operations") return ok(id === undefined ? { operations: [operation] } : { operation });
    if (kind === "endpoints") return ok({ operations: [operation] });
    if (kind === "connection_uri")
      return ok({ uri: "postgresql://owner:owners-password-1@ep-cool.neon.example/neondb?sslmode=require" });
    const branch = { id: BRANCH, name: "main", default: true };
    const own = { ...OWN_BRANCH, parent_id: BRANCH };
    const annotations = { [own.id]: { value: OWN_ANNOTATION } };
    if (kind === "branches" && id === undefined) {
      if (method === "POST") this.#madeBranch = true;
      if (method === "POST") return ok({ branch: own, endpoints: [], operations: [operation] });
      return ok({ branches: this.#madeBranch ? [branch, own] : [branch], annotations, pagination: {} });
    }
    if (id === own.id && part === undefined && this.#madeBranch) {
      if (method === "DELETE") this.#madeBranch = false;
      if (method !== "GET") return ok({ branch: own, operations: [operation] });
      return ok({ branch: own, annotation: annotations[own.id] });
    }
    if (id === own.id && part === "endpoints" && this.#madeBranch)
      return ok({ endpoints: [{ id: "ep-own-123456", host: "ep-own.neon.example", type: "read_write" }] });
    if (id !== BRANCH) return { status: 404, body: { message: "no branch" } };
    if (part === undefined) return ok({ branch });
    if (part === "endpoints")
      return ok({
        endpoints: [{ id: ENDPOINT, host: "ep-cool.neon.example", type: "read_write", disabled: false }],
      });
    if (part === "databases") return ok({ databases: [{ name: "neondb", owner_name: "owner" }] });
    return this.#role(method, name, action, body, operation);
  }

  #role(
    method: string,
    name: string | undefined,
    action: string | undefined,
    body: unknown,
    operation: object,
  ) {
    const wanted = name ?? (body as { role: { name: string } }).role.name;
    const exists = this.#roles.has(wanted);
    if (name === undefined && exists) return { status: 409, body: { message: "exists" } };
    if (name !== undefined && !exists) return { status: 404, body: { message: "no role" } };
    if (method === "POST") this.#roles.set(wanted, `new-password-of-${wanted}`);
    if (method === "DELETE") this.#roles.delete(wanted);
    const password = this.#roles.get(wanted);
    if (action === "reveal_password") return { status: 200, body: { password } };
    if (method === "GET")
      return { status: 200, body: { role: { name: wanted, authentication_method: "password" } } };
    return { status: 200, body: { role: { name: wanted, password }, operations: [operation] } };
  }

  #change(body: unknown): void {
    const { settings } = (body as { project: { settings: Record<string, unknown> } }).project;
    const { allowed_ips: list } = settings;
    if (settings["enable_logical_replication"] === true) this.#logical = true;
    if (list !== undefined) this.#ips = (list as { ips: string[] }).ips;
  }
}

/** How an answer differs from what Neon documents. */
export type Twist =
  | { readonly twist: "field"; readonly which: number; readonly value: unknown }
  | { readonly twist: "body"; readonly value: unknown }
  | { readonly twist: "status"; readonly status: number; readonly retryAfter: string | undefined }
  | { readonly twist: "cut" };

/** Stands for a field that is left out. */
const ABSENT = "<absent>";

const values = fc.constantFrom<unknown>(
  ABSENT,
  null,
  true,
  false,
  0,
  -1,
  1e308,
  "",
  "..",
  "../../other",
  "other-project-654321",
  "br-other-123456",
  "owner",
  "postgresql://owner:x@evil.example/postgres",
  "http://[",
  "\u001b[2J\n::add-mask::x",
  "<{%fg 99%}>",
  "%E0%A4%A",
  "x".repeat(100_000),
  [],
  {},
  [null],
  [[[[[]]]]],
  [{ id: 1 }],
  { __proto__: null, constructor: 1, toString: 2 },
);

export const twists: fc.Arbitrary<Twist> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ twist: fc.constant("field" as const), which: fc.nat(60), value: values }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      twist: fc.constant("body" as const),
      value: fc.oneof(
        values,
        fc.constantFrom<unknown>(
          Buffer.from("<html>"),
          Buffer.from('{"a":'),
          Buffer.from([0xff, 0xfe]),
          undefined,
        ),
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      twist: fc.constant("status" as const),
      status: fc.constantFrom(
        200,
        201,
        204,
        206,
        302,
        400,
        401,
        403,
        404,
        408,
        409,
        412,
        418,
        422,
        423,
        429,
        500,
        502,
        503,
        524,
        599,
      ),
      retryAfter: fc.constantFrom(undefined, "0", "1", "1e9", "-1", "soon"),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ twist: "cut" as const }) },
);

/** The answer with the twist. */
export function twisted(answer: { readonly status: number; readonly body: unknown }, twist: Twist): Reply {
  switch (twist.twist) {
    case "cut":
      return "cut";
    case "status": {
      const { status, retryAfter } = twist;
      return {
        status,
        body: answer.body,
        headers: retryAfter === undefined ? {} : { "retry-after": retryAfter },
      };
    }
    case "body":
      return { status: answer.status, body: twist.value === ABSENT ? undefined : twist.value };
    case "field": {
      const body = structuredClone(answer.body);
      const places = placesIn(body);
      const place = places[twist.which % Math.max(1, places.length)];
      if (place !== undefined) {
        if (twist.value !== ABSENT) place.within[place.key] = twist.value;
        else if (Array.isArray(place.within)) place.within.splice(Number(place.key), 1);
        else Reflect.deleteProperty(place.within, place.key);
      }
      return { status: answer.status, body };
    }
  }
}

/** Every field of a value, at any depth. */
function placesIn(value: unknown): { readonly within: Record<string, unknown>; readonly key: string }[] {
  if (typeof value !== "object" || value === null) return [];
  const within = value as Record<string, unknown>;
  return Object.keys(within).flatMap((key) => [{ within, key }, ...placesIn(within[key])]);
}
