import type { Reply, SeenRequest } from "./scriptedApi";
import {
  BRANCH,
  closeScripted,
  errorOf,
  failure,
  FINISHED,
  OPERATION,
  PROJECT,
  project,
  scriptedNeon,
} from "./scriptedNeon";

afterEach(closeScripted);

/**
 * Plays a branch with at most one role.
 *
 * @param trouble by method, the fault that its first request meets
 */
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

describe("a mutation under a fault", () => {
  const faults = ["cut before", "cut after", 500, "500 after", 423, 503] as const;

  test.each(faults)("creates one role: %s", async (fault) => {
    const { answer, roles } = roleServer({ POST: fault });
    const { neon, server } = await scriptedNeon(answer);
    await expect(neon.createRole(PROJECT, BRANCH, "bemi")).resolves.toMatchObject({ password: "password-1" });
    expect([...roles]).toEqual([["bemi", "password-1"]]);
    // After a lost answer the role is looked for before the request is sent again.
    if (fault !== 423 && fault !== 503) expect(server.calls()[1]).toMatch(/^GET .*\/roles\/bemi$/);
  });

  test.each(faults)("deletes the role: %s", async (fault) => {
    const { answer, roles } = roleServer({ DELETE: fault });
    roles.set("bemi", "x");
    const { neon } = await scriptedNeon(answer);
    await neon.deleteRole(PROJECT, BRANCH, "bemi");
    expect([...roles]).toEqual([]);
  });

  test.each(faults)("returns the password that is set: %s", async (fault) => {
    const { answer, roles } = roleServer({ POST: fault });
    roles.set("bemi", "old");
    const { neon, server } = await scriptedNeon(answer);
    await expect(neon.resetPassword(PROJECT, BRANCH, "bemi", "old")).resolves.toBe("password-1");
    expect(roles.get("bemi")).toBe("password-1");
    // Also without a body: axios would send the content type of a form, which some servers refuse.
    const posts = server.requests.filter(({ method }) => method === "POST");
    expect(posts.map(({ headers }) => headers["content-type"])).toEqual(posts.map(() => "application/json"));
  });

  test("succeeds in deleting a role that does not exist", async () => {
    for (const reply of [failure(404), { status: 204 }]) {
      const { neon } = await scriptedNeon(() => reply);
      await neon.deleteRole(PROJECT, BRANCH, "bemi");
    }
  });

  test("fails with 409 if somebody else made the role", async () => {
    const { answer, roles } = roleServer({});
    roles.set("bemi", "other");
    const { neon } = await scriptedNeon(answer);
    expect(await errorOf(neon.createRole(PROJECT, BRANCH, "bemi"))).toMatchObject({ status: 409 });
  });

  test("fails after three attempts if the outcome stays unknown", async () => {
    const { neon, server } = await scriptedNeon(({ method }) =>
      method === "POST" ? failure(500) : failure(404),
    );
    expect(await errorOf(neon.createRole(PROJECT, BRANCH, "bemi"))).toMatchObject({ status: 500 });
    expect(server.calls().filter((call) => call.startsWith("POST"))).toHaveLength(3);
  });

  test.each([
    ["text", Buffer.from("<html>")],
    ["nothing", undefined],
    ["other types", { role: "bemi", operations: 7 }],
    ["another role", { role: { name: "owner", password: "password-9" }, operations: [] }],
    ["no password", { role: { name: "bemi" }, operations: [] }],
  ])("asks for the password if the answer to creating a role is %s", async (_, body) => {
    const { answer } = roleServer({});
    const { neon, server } = await scriptedNeon((request) => {
      const reply = answer(request);
      return request.method === "POST" ? { status: 201, body } : reply;
    });
    await expect(neon.createRole(PROJECT, BRANCH, "bemi")).resolves.toMatchObject({ password: "password-1" });
    expect(server.calls().filter((call) => call.startsWith("POST"))).toHaveLength(1);
  });

  test("sends nothing once the engine is gone", async () => {
    const { neon, server } = await scriptedNeon(() => project(), {
      checkpoint: () => {
        throw new Error("gone");
      },
    });
    await expect(neon.createRole(PROJECT, BRANCH, "bemi")).rejects.toThrow("gone");
    expect(server.requests).toHaveLength(0);
  });

  test.each(faults)("plans a settings PATCH again from a fresh read: %s", async (fault) => {
    let ips = ["198.51.100.1"];
    let faulty = true;
    const act = ({ method, body }: SeenRequest): Reply => {
      if (method === "PATCH") {
        const patch = body as { project: { settings: { allowed_ips: { ips: string[] } } } };
        ips = patch.project.settings.allowed_ips.ips;
      }
      return project({ allowed_ips: { ips, protected_branches_only: true } });
    };
    const { neon } = await scriptedNeon((request) => {
      if (request.url.includes("/operations")) return { status: 200, body: { operations: [] } };
      if (request.method !== "PATCH" || !faulty) return act(request);
      faulty = false;
      if (fault === "cut after" || fault === "500 after") act(request);
      // Another writer adds an entry during the wait. A PATCH from the old list would remove it.
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
