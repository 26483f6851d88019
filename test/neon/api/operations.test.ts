import { backoff } from "../../../provider/neon/api/backoff";
import { OperationError } from "../../../provider/neon/api/errors";
import { virtualClock } from "../clocks";
import type { Reply, SeenRequest } from "./scriptedApi";
import {
  BRANCH,
  closeScripted,
  errorOf,
  failure,
  FINISHED,
  OPERATION,
  PROJECT,
  scriptedNeon,
  type ScriptedNeon,
} from "./scriptedNeon";

afterEach(closeScripted);

async function createWith(statuses: (before: number) => object): Promise<ScriptedNeon> {
  return scriptedNeon(({ method, url }, before) => {
    if (url.includes("/operations/"))
      return { status: 200, body: { operation: { ...OPERATION, ...statuses(before) } } };
    const operations = [{ ...OPERATION, id: "op-0", status: "finished" }, OPERATION];
    return { status: method === "POST" ? 201 : 200, body: { role: { password: "abcd" }, operations } };
  });
}

test("waits for all operations, also through unknown states and failed ones", async () => {
  const states = ["scheduling", "failed", "of_the_future", "running", "skipped"];
  const { neon, server } = await createWith((before) => ({ status: states[before] }));
  await neon.createRole(PROJECT, BRANCH, "bemi");
  expect(server.calls().slice(1)).toEqual(states.map(() => `GET /projects/${PROJECT}/operations/op-1`));
});

test.each(["error", "cancelled"])("fails at once if an operation ends as %s", async (status) => {
  const { neon } = await createWith(() => ({ status, error: "no room", failures_count: 1 }));
  const error = await errorOf(neon.createRole(PROJECT, BRANCH, "bemi"));
  expect(error).toBeInstanceOf(OperationError);
  expect(error.message).toContain(
    `operation apply_config (op-1) of project ${PROJECT} ended as "${status}": no room, after 1 failure`,
  );
});

test.each([
  ["stuck", { status: "running" }, true, /did not finish within 5 minutes \(last state: "running"\)/],
  [
    "failed for good",
    { status: "failed", error: "no room", failures_count: 9 },
    false,
    /"failed": no room, after 9 failures/,
  ],
])(
  "fails at the deadline if an operation is %s, after polling every 250 ms to 5 s",
  async (_, state, running, message) => {
    const { neon, clock } = await createWith(() => state);
    const error = await errorOf(neon.createRole(PROJECT, BRANCH, "bemi"));
    expect(error).toMatchObject({ running });
    expect(error.message).toMatch(message);
    expect(clock.elapsed()).toBeGreaterThanOrEqual(300_000);
    expect(clock.elapsed()).toBeLessThan(310_000);
    expect(Math.min(...clock.sleeps())).toBeGreaterThanOrEqual(250);
    expect(Math.max(...clock.sleeps())).toBeLessThanOrEqual(5_000);
    expect(clock.sleeps().at(-1)).toBeGreaterThanOrEqual(2_500);
  },
);

test("waits for an operation that cannot be read yet", async () => {
  const { neon } = await scriptedNeon(({ method, url }, before) => {
    if (url.includes("/operations/")) return before === 0 ? failure(404) : FINISHED;
    return {
      status: method === "POST" ? 201 : 200,
      body: { role: { password: "abcd" }, operations: [OPERATION] },
    };
  });
  await expect(neon.createRole(PROJECT, BRANCH, "bemi")).resolves.toMatchObject({ password: "abcd" });
});

test("waits between 250 ms and 5 s, longer each time and at random", () => {
  for (let attempt = 0; attempt < 40; attempt++) {
    const least = Math.min(2_500, 250 * 2 ** attempt);
    const waits = Array.from({ length: 50 }, () => backoff(attempt));
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(least);
    expect(Math.max(...waits)).toBeLessThanOrEqual(2 * least);
    expect(new Set(waits).size).toBeGreaterThan(1);
  }
});

describe("after a lost answer", () => {
  const ROLES = `/projects/${PROJECT}/branches/${BRANCH}/roles`;

  /**
   * Makes the role and cuts the connection before the answer.
   *
   * @param list answers a request for the list of operations
   */
  async function lostWith(
    list: (cursor: string | null) => Reply,
    clock = virtualClock(),
  ): Promise<ScriptedNeon> {
    const answer = ({ method, url }: SeenRequest): Reply => {
      if (method === "POST") return "cut";
      if (url.startsWith(`${ROLES}/bemi/reveal`)) return { status: 200, body: { password: "abcd" } };
      if (url.startsWith(ROLES)) return { status: 200, body: { role: { name: "bemi" } } };
      if (url.includes("/operations/")) {
        const id = url.slice(url.lastIndexOf("/") + 1);
        return { status: 200, body: { operation: { ...OPERATION, id, status: "finished" } } };
      }
      return list(new URLSearchParams(url.split("?")[1]).get("cursor"));
    };
    return scriptedNeon(answer, { clock });
  }

  test("waits for an operation that the list shows late", async () => {
    const clock = virtualClock();
    const list = (): Reply => ({
      status: 200,
      body: { operations: clock.elapsed() < 1_500 ? [] : [OPERATION] },
    });
    const { neon, server } = await lostWith(list, clock);
    await expect(neon.createRole(PROJECT, BRANCH, "bemi")).resolves.toMatchObject({ password: "abcd" });
    expect(server.calls()).toContain(`GET /projects/${PROJECT}/operations/op-1`);
  });

  test("reads pages of the list by pagination.cursor as long as operations are unfinished", async () => {
    const page = (cursor: string, ...statuses: string[]): Reply => ({
      status: 200,
      body: {
        operations: statuses.map((status, at) => ({ ...OPERATION, id: `op-${cursor}-${at}`, status })),
        pagination: { cursor },
      },
    });
    const { neon, server } = await lostWith((cursor) => {
      if (cursor === null) return page("two", "scheduling", "running");
      if (cursor === "two") return page("three", "running", "finished");
      return page("four", "running");
    });
    await neon.createRole(PROJECT, BRANCH, "bemi");
    const polled = server.calls().filter((call) => call.includes("/operations/"));
    expect(polled.map((call) => call.replace(/.*\//, ""))).toEqual(["op-two-0", "op-two-1", "op-three-0"]);
  });
});
