import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { createNeonApi } from "../../../provider/neon";
import type { NeonApi } from "../../../provider/contract/neonApi";
import { NeonError } from "../../../provider/neon/api/errors";
import { redact } from "../../../provider/contract/secrets";
import { virtualClock } from "../clocks";
import {
  BRANCH,
  closeScripted,
  errorOf,
  failure,
  KEY,
  OPERATION,
  PROJECT,
  project,
  scriptedNeon,
} from "./scriptedNeon";

afterEach(closeScripted);

describe("reads", () => {
  test("send the key as a bearer token, and return only the fields that are used", async () => {
    const { neon, server } = await scriptedNeon(() =>
      project({ enable_logical_replication: true, allowed_ips: { ips: ["::1"] } }),
    );
    await expect(neon.project(PROJECT)).resolves.toEqual({
      id: PROJECT,
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
    const { neon, server } = await scriptedNeon((_request, before) => (before < 2 ? first : project()));
    await expect(neon.project(PROJECT)).resolves.toMatchObject({ id: PROJECT });
    expect(server.requests).toHaveLength(3);
  });

  test.each([
    ["seconds", () => "7"],
    ["a date", (now: number) => new Date(now + 7_000).toUTCString()],
  ])("wait as long as Retry-After says, given in %s", async (_, header) => {
    const clock = virtualClock();
    const { neon, lines } = await scriptedNeon(
      (_request, before) => (before === 0 ? failure(503, { "retry-after": header(clock.now()) }) : project()),
      { clock },
    );
    await neon.project(PROJECT);
    // A date has no fractions of a second, so the wait may be up to one second shorter.
    expect(clock.elapsed()).toBeGreaterThanOrEqual(6_000);
    expect(clock.elapsed()).toBeLessThan(8_000);
    expect(lines).toEqual([expect.stringContaining("503 to GET /projects/cool-darkness-123456")]);
  });

  test("fail at once if Neon asks for a wait that is too long, and say how long", async () => {
    const { neon, server } = await scriptedNeon(() => failure(429, { "retry-after": "3600" }));
    expect((await errorOf(neon.project(PROJECT))).message).toMatch(/429.*Run this again in 3600 s/);
    expect(server.requests).toHaveLength(1);
  });

  test("give up after 15 s of server errors or 5 minutes of a lock, with few log lines", async () => {
    const failing = await scriptedNeon(() => failure(500));
    expect((await errorOf(failing.neon.project(PROJECT))).message).toMatch(
      /answered 500 .*request id req-7: Neon's own words\. /,
    );
    expect(failing.clock.elapsed()).toBeLessThanOrEqual(15_000);
    expect(failing.clock.elapsed()).toBeGreaterThan(9_000);

    const locked = await scriptedNeon(() => failure(423));
    expect((await errorOf(locked.neon.project(PROJECT))).message).toMatch(/423.*did not end in time/);
    expect(locked.clock.elapsed()).toBeGreaterThan(290_000);
    expect(locked.clock.elapsed()).toBeLessThanOrEqual(300_000);
    expect(locked.lines.length).toBeLessThan(12);
  });

  test("fail within seconds, in one sentence, if no server listens", async () => {
    const { neon, server, clock } = await scriptedNeon(() => "cut");
    await server.close();
    const error = await errorOf(neon.project(PROJECT));
    expect(error.message).toContain(`Neon's API at ${server.baseUrl} cannot be reached (ECONNREFUSED`);
    expect(error.message).toContain("NEON_API_URL");
    expect(clock.elapsed()).toBeLessThanOrEqual(4_000);
  });

  test("read all pages of branches by pagination.next", async () => {
    const branch = (name: string) => ({ id: `br-${name}`, name, default: name === "z" });
    const { neon } = await scriptedNeon(({ url }) => {
      const cursor = new URLSearchParams(url.split("?")[1]).get("cursor");
      return cursor === null
        ? { status: 200, body: { branches: [branch("a")], pagination: { next: "two" } } }
        : { status: 200, body: { branches: [branch("z")], pagination: {} } };
    });
    await expect(neon.branches(PROJECT)).resolves.toEqual([
      { id: "br-a", name: "a", isDefault: false, isProtected: false, annotation: {} },
      { id: "br-z", name: "z", isDefault: true, isProtected: false, annotation: {} },
    ]);
  });

  test.each([
    ["a cursor that comes again", (before: number) => (before % 2 === 0 ? "two" : "three"), 4],
    ["a cursor that stays the same", () => "two", 2],
    ["ever new cursors", (before: number) => `page-${before}`, 100],
  ])(
    "end with an error if a list has %s, because what is cut off would count as gone",
    async (_, next, pages) => {
      const { neon, server } = await scriptedNeon((_request, before) => ({
        status: 200,
        body: { branches: [{ id: `br-${before}`, name: "a" }], pagination: { next: next(before) } },
      }));
      // The path is the same for all pages, so the number of the page is the number of the request.
      await expect(neon.branches(PROJECT)).rejects.toThrow(
        /list of branches of project .* (no end|more than 100)/,
      );
      expect(server.requests.length).toBeLessThanOrEqual(pages);
      const operations = await scriptedNeon(({ method, url }, before) => {
        if (method === "POST") return failure(500);
        if (url.includes("/roles/")) return { status: 200, body: { role: { name: "bemi" } } };
        return { status: 200, body: { operations: [OPERATION], pagination: { cursor: next(before) } } };
      });
      await expect(operations.neon.createRole(PROJECT, BRANCH, "bemi")).rejects.toThrow(
        /list of operations of project .* (no end|more than 100)/,
      );
    },
  );

  test("stop at 32 MB, also of a compressed answer, and are not repeated", async () => {
    const large = { project: { id: PROJECT, name: "x".repeat(33 * 1024 * 1024) } };
    for (const gzip of [false, true]) {
      const { neon, server } = await scriptedNeon(() => ({ status: 200, body: large, gzip }));
      expect((await errorOf(neon.project(PROJECT))).message).toMatch(
        /has more than 32 MB, which is not read: check NEON/,
      );
      expect(server.requests).toHaveLength(1);
    }
  });

  test.each([
    "-5",
    "0x10",
    "Infinity",
    "1e308",
    "NaN",
    "soon",
    "9".repeat(30),
    "Thu, 01 Jan 9999 00:00:00 GMT",
    "",
  ])("wait neither for ever nor without end after Retry-After: %s", async (header) => {
    const clock = virtualClock();
    const { neon } = await scriptedNeon(() => failure(503, { "retry-after": header }), { clock });
    expect((await errorOf(neon.project(PROJECT))).message).toMatch(
      /Run this again in (a few minutes|\d{1,5} s)\.$/,
    );
    expect(clock.elapsed()).toBeLessThanOrEqual(120_000);
  });

  test("refuse an answer about another object than the one that was asked for", async () => {
    const other = "other-project-654321";
    const about = "differs from its API documentation (it is about ";
    const wrong = await scriptedNeon(({ url }) => {
      if (url.includes("/roles/")) return { status: 200, body: { role: { name: "owner" } } };
      if (url.includes("/branches/"))
        return { status: 200, body: { branch: { id: "br-other", name: "main" } } };
      if (url.includes("/connection_uri"))
        return { status: 200, body: { uri: "postgresql://owner:x@host/other?sslmode=require" } };
      return { status: 200, body: { project: { id: other } } };
    });
    const { neon, server } = wrong;
    await expect(neon.project(PROJECT)).rejects.toThrow(`${about}${other})`);
    await expect(neon.branch(PROJECT, BRANCH)).rejects.toThrow(`${about}br-other)`);
    await expect(neon.role(PROJECT, BRANCH, "bemi")).rejects.toThrow(`${about}owner)`);
    const query = {
      projectId: PROJECT,
      branchId: BRANCH,
      endpointId: "ep-1",
      database: "neondb",
      role: "owner",
    };
    await expect(neon.connectionUri(query)).rejects.toThrow("is for another database or role");
    await expect(neon.updateSettings(PROJECT, () => ({ enable_logical_replication: true }))).rejects.toThrow(
      about,
    );
    expect(server.requests.filter(({ method }) => method !== "GET")).toEqual([]);
  });

  test("show Neon's words in part and as one line", async () => {
    const body = { message: `\u001b[2J\n::add-mask::${"x".repeat(5_000_000)}`, request_id: "\u001b]0;x" };
    const { neon } = await scriptedNeon(() => ({ status: 403, body }));
    const { message } = await errorOf(neon.project(PROJECT));
    expect(message).toContain("request id \\u{1b}]0;x: \\u{1b}[2J\\n::add-mask::xxx");
    expect(message.length).toBeLessThan(1_500);
  });

  test("stay below Neon's rate limit for the route", async () => {
    const { neon, clock } = await scriptedNeon(() => project());
    await Promise.all(Array.from({ length: 60 }, () => neon.project(PROJECT)));
    expect(clock.elapsed()).toBeGreaterThan(3_000);
  });

  test("say which field is missing in an answer", async () => {
    const { neon } = await scriptedNeon(() => ({ status: 200, body: { project: {} } }));
    expect((await errorOf(neon.project(PROJECT))).message).toMatch(
      /differs from its API documentation .*project\.id/,
    );
  });
});

describe("an error", () => {
  const cases: [number, (neon: NeonApi) => Promise<unknown>, RegExp][] = [
    [401, (neon) => neon.project(PROJECT), /missing, invalid or revoked.*neon-bemi:apiKey.*NEON_API_KEY/],
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
    const { neon, server } = await scriptedNeon(() => failure(status));
    const error = await errorOf(call(neon));
    expect(error).toBeInstanceOf(NeonError);
    expect(error.message).toMatch(wayOut);
    expect(error.message).toMatch(/, request id req-7: Neon's own words\./);
    expect(error).toMatchObject({ status });
    expect(`${JSON.stringify(error)} ${error.stack}`).not.toContain(KEY);
    expect(server.requests).toHaveLength(1);
  });

  test.each(["http://example.com/api/v2", "not a url", "ftp://127.0.0.1"])(
    "refuses a base URL that would send the key without encryption: %s",
    (baseUrl) => {
      expect(() => createNeonApi({ baseUrl, apiKey: KEY, log: () => undefined })).toThrow(/NEON_API_URL/);
    },
  );

  test.each([
    "https://user:hidden-word@console.neon.tech/api/v2",
    "https://hidden-word@console.neon.tech/api/v2",
    "https://console.neon.tech/api/v2?key=hidden-word",
    "https://console.neon.tech/api/v2#hidden-word",
  ])("refuses a base URL with more than an address in it, without repeating it: %s", (baseUrl) => {
    const create = (): unknown => createNeonApi({ baseUrl, apiKey: KEY, log: () => undefined });
    expect(create).toThrow(/NEON_API_URL .* without user, password, query and fragment/);
    expect(create).not.toThrow(/hidden-word/);
  });

  test.each(["", " ", "napi two", "napi\nHost: x", "napi\u0100"])("refuses %j as a key", (apiKey) => {
    const create = (): unknown =>
      createNeonApi({ baseUrl: "https://neon.example", apiKey, log: () => undefined });
    expect(create).toThrow(/API key is empty, or contains spaces or other characters/);
  });

  test("does not send the key through a proxy to an address of this machine", async () => {
    const proxy = await scriptedNeon(() => ({ status: 200, body: {} }));
    const before = { ...process.env };
    for (const name of ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
      process.env[name] = new URL(proxy.server.baseUrl).origin;
    try {
      const { neon } = await scriptedNeon(() => project());
      await neon.project(PROJECT);
    } finally {
      process.env = before;
    }
    expect(proxy.server.requests).toEqual([]);
  });

  test("does not take the answer of a proxy that refuses the tunnel for one of Neon's", async () => {
    const seen: string[] = [];
    const proxy = createServer().on("connect", ({ url, headers }: IncomingMessage, socket: Duplex) => {
      seen.push(`${url} ${JSON.stringify(headers)}`);
      socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}");
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    const before = { ...process.env };
    process.env["HTTPS_PROXY"] = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const baseUrl = "https://neon.example/api/v2";
    const neon = createNeonApi({ baseUrl, apiKey: KEY, log: () => undefined, clock: virtualClock() });
    try {
      // Not `undefined`, which would mean that there is no such role.
      await expect(neon.role(PROJECT, BRANCH, "bemi")).rejects.toThrow(
        /cannot be reached \(the proxy refused with 404 on GET/,
      );
    } finally {
      process.env = before;
      proxy.close();
    }
    expect(seen[0]).toMatch(/^neon\.example:443 /);
    expect(seen.join()).not.toContain(KEY);
  });

  test.each(["..", ".", ""])(
    "refuses %j as the name of a role: it would make a request about the branch",
    async (name) => {
      const { neon, server } = await scriptedNeon(() => ({ status: 200, body: {} }));
      await expect(neon.deleteRole(PROJECT, BRANCH, name)).rejects.toThrow(/choose another name/);
      expect(server.requests).toHaveLength(0);
    },
  );

  test("does not follow a redirect, which would send the key on", async () => {
    const { neon, server } = await scriptedNeon(() => ({
      status: 302,
      headers: { location: "/api/v2/elsewhere" },
    }));
    await expect(neon.project(PROJECT)).rejects.toThrow(/answered 302/);
    expect(server.calls()).toEqual([`GET /projects/${PROJECT}`]);
  });
});
