import { createNeonApi } from "../../provider/neon";
import type { NeonApi } from "../../provider/neon";
import { NeonError } from "../../provider/neon/errors";
import { redact } from "../../provider/secrets";
import { virtualClock } from "./clocks";
import { scriptedApi, type Reply, type ScriptedApi, type SeenRequest } from "./scriptedApi";

const KEY = "secret-key-of-this-test";
const PROJECT = "cool-darkness-123456";
const BRANCH = "br-cool-sea-123456";
const OPERATION = { id: "op-1", action: "apply_config", status: "running", failures_count: 0 };
const FINISHED: Reply = { status: 200, body: { operation: { ...OPERATION, status: "finished" } } };

function project(settings: object = {}): Reply {
  return {
    status: 200,
    body: {
      project: { id: PROJECT, name: "orders", pg_version: 17, settings, of_the_future: 1 },
      operations: [],
    },
  };
}

function failure(status: number, headers?: Record<string, string>): Reply {
  return { status, headers, body: { code: "", message: "Neon's own words.", request_id: "req-7" } };
}

let server: ScriptedApi;
let lines: string[];
let clock: ReturnType<typeof virtualClock>;

async function neonWith(
  answer: (request: SeenRequest, before: number) => Reply,
  checkpoint?: () => void,
): Promise<NeonApi> {
  server = await scriptedApi(answer);
  lines = [];
  clock = virtualClock();
  return createNeonApi({
    baseUrl: server.baseUrl,
    apiKey: `${KEY}\n`,
    clock,
    checkpoint,
    log: (line) => lines.push(line),
  });
}

async function errorOf(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => {
      throw new Error("expected an error");
    },
    (error: unknown) => error as Error,
  );
}

afterEach(() => server.close());

describe("reads", () => {
  test("send the key as a bearer token, and report only what is relied on", async () => {
    const neon = await neonWith(() =>
      project({ enable_logical_replication: true, allowed_ips: { ips: ["::1"] } }),
    );
    await expect(neon.project(PROJECT)).resolves.toEqual({
      id: PROJECT,
      name: "orders",
      pgVersion: 17,
      storePasswords: true,
      logicalReplication: true,
      blockPublicConnections: false,
      allowedIps: { ips: ["::1"], protectedBranchesOnly: false },
    });
    expect(server.requests[0]?.headers.authorization).toBe(`Bearer ${KEY}`);
    expect(redact(`the key is ${KEY}`)).not.toContain(KEY);
  });

  test.each([
    ["a server error", failure(500)],
    ["a gateway's error", { status: 524 } as const],
    ["a cut connection", "cut"],
    ["a rate limit", failure(429)],
    ["a lock", failure(423)],
  ] as const)("are repeated after %s", async (_, first) => {
    const neon = await neonWith((_request, before) => (before < 2 ? first : project()));
    await expect(neon.project(PROJECT)).resolves.toMatchObject({ id: PROJECT });
    expect(server.requests).toHaveLength(3);
  });

  test.each([
    ["seconds", () => "7"],
    ["a date", () => new Date(clock.now() + 7_000).toUTCString()],
  ])("wait as long as Retry-After says in %s", async (_, header) => {
    const neon = await neonWith((_request, before) =>
      before === 0 ? failure(503, { "retry-after": header() }) : project(),
    );
    await neon.project(PROJECT);
    // A date has no fractions of a second.
    expect(clock.elapsed()).toBeGreaterThanOrEqual(6_000);
    expect(clock.elapsed()).toBeLessThan(8_000);
    expect(lines).toEqual([expect.stringContaining("503 to GET /projects/cool-darkness-123456")]);
  });

  test("do not wait longer than the patience, but say how long Neon asked for", async () => {
    const neon = await neonWith(() => failure(429, { "retry-after": "3600" }));
    expect((await errorOf(neon.project(PROJECT))).message).toMatch(/429.*Run this again in 3600 s/);
    expect(server.requests).toHaveLength(1);
  });

  test("give up on server errors after 15 s, on a lock after 5 minutes, with few lines in the terminal", async () => {
    let neon = await neonWith(() => failure(500));
    expect((await errorOf(neon.project(PROJECT))).message).toMatch(
      /answered 500 .*request id req-7: Neon's own words\. /,
    );
    expect(clock.elapsed()).toBeLessThanOrEqual(15_000);
    expect(clock.elapsed()).toBeGreaterThan(9_000);
    await server.close();

    neon = await neonWith(() => failure(423));
    expect((await errorOf(neon.project(PROJECT))).message).toMatch(/423.*did not end in time/);
    expect(clock.elapsed()).toBeGreaterThan(290_000);
    expect(clock.elapsed()).toBeLessThanOrEqual(300_000);
    expect(lines.length).toBeLessThan(12);
  });

  test("fail within seconds, in one sentence, where nobody listens", async () => {
    const neon = await neonWith(() => "cut");
    const { baseUrl } = server;
    await server.close();
    const error = await errorOf(neon.project(PROJECT));
    expect(error.message).toContain(`Neon's API at ${baseUrl} cannot be reached (ECONNREFUSED`);
    expect(error.message).toContain("NEON_API_URL");
    expect(clock.elapsed()).toBeLessThanOrEqual(4_000);
    server = await scriptedApi(() => "cut");
  });

  test("page through branches by pagination.next, to the end", async () => {
    const branch = (name: string) => ({ id: `br-${name}`, name, default: name === "z" });
    const neon = await neonWith(({ url }) => {
      const cursor = new URLSearchParams(url.split("?")[1]).get("cursor");
      return cursor === null
        ? { status: 200, body: { branches: [branch("a")], pagination: { next: "two" } } }
        : { status: 200, body: { branches: [branch("z")], pagination: {} } };
    });
    await expect(neon.branches(PROJECT)).resolves.toEqual([
      { id: "br-a", name: "a", isDefault: false },
      { id: "br-z", name: "z", isDefault: true },
    ]);
  });

  test("stay below Neon's limit for the route", async () => {
    const neon = await neonWith(() => project());
    await Promise.all(Array.from({ length: 60 }, () => neon.project(PROJECT)));
    expect(clock.elapsed()).toBeGreaterThan(3_000);
  });

  test("say which field of an answer is missing", async () => {
    const neon = await neonWith(() => ({ status: 200, body: { project: { id: PROJECT } } }));
    expect((await errorOf(neon.project(PROJECT))).message).toMatch(
      /not what its API documents .*project\.name/,
    );
  });
});

describe("errors", () => {
  const cases: [number, (neon: NeonApi) => Promise<unknown>, RegExp][] = [
    [401, (neon) => neon.project(PROJECT), /missing, invalid or revoked.*NEON_API_KEY.*neon:apiKey/],
    [403, (neon) => neon.createRole(PROJECT, BRANCH, "bemi"), /key may not do this: use a key/],
    [
      404,
      (neon) => neon.project(PROJECT),
      /Check projectId \(cool-darkness-123456\), and that the API key can see/,
    ],
    [404, (neon) => neon.endpoints(PROJECT, BRANCH), /Check that branch br-cool-sea-123456 exists/],
    [412, (neon) => neon.revealPassword(PROJECT, BRANCH, "bemi"), /store_passwords is off/],
    [422, (neon) => neon.createRole(PROJECT, BRANCH, "bemi"), /refused the values/],
    [422, (neon) => neon.deleteRole(PROJECT, BRANCH, "bemi"), /was not deleted: it may own a database/],
  ];
  test.each(cases)("%i says what to do (%#)", async (status, call, wayOut) => {
    const neon = await neonWith(() => failure(status));
    const error = await errorOf(call(neon));
    expect(error).toBeInstanceOf(NeonError);
    expect(error.message).toMatch(wayOut);
    expect(error.message).toContain("Neon's own words");
    expect(error).toMatchObject({ status, requestId: "req-7" });
    expect(`${JSON.stringify(error)} ${error.stack}`).not.toContain(KEY);
    expect(server.requests).toHaveLength(1);
  });

  test.each(["http://example.com/api/v2", "not a url", "ftp://127.0.0.1"])(
    "a base URL that would show the key to others is refused: %s",
    async (baseUrl) => {
      await neonWith(() => project());
      expect(() => createNeonApi({ baseUrl, apiKey: KEY, log: () => undefined })).toThrow(/NEON_API_URL/);
    },
  );

  test.each(["..", ".", ""])(
    "a role called %j cannot turn a request into one about its branch",
    async (name) => {
      const neon = await neonWith(() => ({ status: 200, body: {} }));
      await expect(neon.deleteRole(PROJECT, BRANCH, name)).rejects.toThrow(/choose another name/);
      expect(server.requests).toHaveLength(0);
    },
  );

  test("a redirect is not followed with the key", async () => {
    const neon = await neonWith(() => ({
      status: 302,
      headers: { location: `${server.baseUrl}/elsewhere` },
    }));
    await expect(neon.project(PROJECT)).rejects.toThrow(/answered 302/);
    expect(server.calls()).toEqual([`GET /projects/${PROJECT}`]);
  });
});

/** A branch with at most one role, behind answers that fail as told. */
function roleServer(trouble: Record<string, "cut before" | "cut after" | 500 | "500 after" | 423 | 503>) {
  const seen = new Set<string>();
  const roles = new Map<string, string>();
  let passwords = 0;
  const act = ({ method, url, body }: SeenRequest): Reply => {
    const name = /\/roles\/([^/?]+)/.exec(url)?.[1] ?? "";
    const role = { name, password: roles.get(name) };
    if (url.includes("/operations/")) return FINISHED;
    if (url.includes("/operations")) return { status: 200, body: { operations: [OPERATION] } };
    if (method === "POST" && url.endsWith("/roles")) {
      const wanted = (body as { role: { name: string } }).role.name;
      if (roles.has(wanted)) return failure(409);
      roles.set(wanted, `password-${++passwords}`);
      return {
        status: 201,
        body: { role: { name: wanted, password: roles.get(wanted) }, operations: [OPERATION] },
      };
    }
    if (!roles.has(name)) return method === "DELETE" ? { status: 204 } : failure(404);
    if (url.endsWith("/reset_password")) {
      roles.set(name, `password-${++passwords}`);
      return { status: 200, body: { role: { name, password: roles.get(name) }, operations: [OPERATION] } };
    }
    if (url.endsWith("/reveal_password")) return { status: 200, body: { password: role.password } };
    if (method === "DELETE") roles.delete(name);
    return { status: 200, body: { role: { name }, operations: [OPERATION] } };
  };
  const answer = (request: SeenRequest): Reply => {
    const kind = trouble[request.method];
    if (kind === undefined || seen.has(request.method)) return act(request);
    seen.add(request.method);
    if (kind === "cut before") return "cut";
    if (typeof kind === "number") return failure(kind);
    act(request);
    return kind === "cut after" ? "cut" : failure(500);
  };
  return { answer, roles };
}

describe("mutations under faults", () => {
  const faults = ["cut before", "cut after", 500, "500 after", 423, 503] as const;

  test.each(faults)("one role is created: %s", async (fault) => {
    const { answer, roles } = roleServer({ POST: fault });
    const neon = await neonWith(answer);
    await expect(neon.createRole(PROJECT, BRANCH, "bemi")).resolves.toBe("password-1");
    expect([...roles]).toEqual([["bemi", "password-1"]]);
    // After an answer that was lost, nothing is sent again before looking.
    if (fault !== 423 && fault !== 503) expect(server.calls()[1]).toMatch(/^GET .*\/roles\/bemi$/);
  });

  test.each(faults)("the role is deleted: %s", async (fault) => {
    const { answer, roles } = roleServer({ DELETE: fault });
    roles.set("bemi", "x");
    const neon = await neonWith(answer);
    await neon.deleteRole(PROJECT, BRANCH, "bemi");
    expect([...roles]).toEqual([]);
  });

  test.each(faults)("the password that is returned is the one that is set: %s", async (fault) => {
    const { answer, roles } = roleServer({ POST: fault });
    roles.set("bemi", "old");
    const neon = await neonWith(answer);
    await expect(neon.resetPassword(PROJECT, BRANCH, "bemi", "old")).resolves.toBe("password-1");
    expect(roles.get("bemi")).toBe("password-1");
    // Without a body too: a form, as axios would have it, is refused by servers that take JSON only.
    const posts = server.requests.filter(({ method }) => method === "POST");
    expect(posts.map(({ headers }) => headers["content-type"])).toEqual(posts.map(() => "application/json"));
  });

  test("deleting what is gone is fine", async () => {
    const neon = await neonWith(() => failure(404));
    await neon.deleteRole(PROJECT, BRANCH, "bemi");
    await server.close();
    await (await neonWith(() => ({ status: 204 }))).deleteRole(PROJECT, BRANCH, "bemi");
  });

  test("a role that somebody made is a 409, not ours", async () => {
    const { answer, roles } = roleServer({});
    roles.set("bemi", "theirs");
    const neon = await neonWith(answer);
    expect(await errorOf(neon.createRole(PROJECT, BRANCH, "bemi"))).toMatchObject({ status: 409 });
  });

  test("an outcome that stays unknown is an error after three tries", async () => {
    const neon = await neonWith(({ method }) => (method === "POST" ? failure(500) : failure(404)));
    expect(await errorOf(neon.createRole(PROJECT, BRANCH, "bemi"))).toMatchObject({ status: 500 });
    expect(server.calls().filter((call) => call.startsWith("POST"))).toHaveLength(3);
  });

  test("nothing is sent once the engine is gone", async () => {
    const neon = await neonWith(
      () => project(),
      () => {
        throw new Error("gone");
      },
    );
    await expect(neon.createRole(PROJECT, BRANCH, "bemi")).rejects.toThrow("gone");
    expect(server.requests).toHaveLength(0);
  });

  test.each(faults)("a settings PATCH is planned anew from a fresh read: %s", async (fault) => {
    let ips = ["198.51.100.1"];
    let faulty = true;
    const act = ({ method, body }: SeenRequest): Reply => {
      if (method === "PATCH") {
        const patch = body as { project: { settings: { allowed_ips: { ips: string[] } } } };
        ips = patch.project.settings.allowed_ips.ips;
      }
      return project({ allowed_ips: { ips, protected_branches_only: true } });
    };
    const neon = await neonWith((request) => {
      if (request.url.includes("/operations")) return { status: 200, body: { operations: [] } };
      if (request.method !== "PATCH" || !faulty) return act(request);
      faulty = false;
      if (fault === "cut after" || fault === "500 after") act(request);
      // Somebody else writes while we wait: an old list sent again would take their entry away.
      ips = [...ips, "192.0.2.9"];
      return String(fault).startsWith("cut") ? "cut" : failure(fault === "500 after" ? 500 : Number(fault));
    });
    await neon.updateSettings(PROJECT, ({ allowedIps }) =>
      allowedIps.ips.includes("203.0.113.7")
        ? undefined
        : { allowed_ips: { ips: [...allowedIps.ips, "203.0.113.7"], protected_branches_only: true } },
    );
    expect(ips.sort()).toEqual(["192.0.2.9", "198.51.100.1", "203.0.113.7"]);
  });
});
