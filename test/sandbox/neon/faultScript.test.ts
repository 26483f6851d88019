import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Faults, FaultScriptError } from "../../../sandbox/neon/faults";

const PROJECT = "/projects/{project_id}";
const ROUTES = [
  { method: "GET", path: PROJECT },
  { method: "PATCH", path: PROJECT },
  { method: "GET", path: "/projects" },
];
const BUSY = { kind: "answer", status: 423 };
const STUCK = { kind: "operation", outcome: "stuck" };

function faults(...rules: object[]): Faults {
  const all = new Faults(ROUTES);
  all.set({ faults: rules });
  return all;
}

function hits(all: Faults, count: number, method = "PATCH", route = PROJECT): number[] {
  return Array.from({ length: count }, () => all.hit(method, route).length);
}

test("applies a rule once, to its method and route only", () => {
  const all = faults({ method: "PATCH", route: PROJECT, fault: BUSY });
  expect(all.hit("GET", PROJECT)).toEqual([]);
  expect(all.hit("PATCH", "/projects")).toEqual([]);
  expect(all.hit("PATCH", PROJECT)).toMatchObject([{ kind: "answer", status: 423, when: "before" }]);
  expect(all.hit("PATCH", PROJECT)).toEqual([]);
});

test("counts only matching requests for skip and times", () => {
  expect(hits(faults({ method: "*", route: "*", skip: 1, times: 2, fault: BUSY }), 5)).toEqual([
    0, 1, 1, 0, 0,
  ]);
});

test("begins forMs with the first request that the fault applies to", () => {
  jest.useFakeTimers();
  try {
    const all = faults({ method: "PATCH", route: PROJECT, forMs: 1000, fault: BUSY });
    jest.advanceTimersByTime(5000);
    expect(hits(all, 2)).toEqual([1, 1]);
    jest.advanceTimersByTime(999);
    expect(hits(all, 1)).toEqual([1]);
    jest.advanceTimersByTime(1);
    expect(hits(all, 1)).toEqual([0]);
  } finally {
    jest.useRealTimers();
  }
});

test("counts a rate limit per method and route, and ends it after its time", () => {
  jest.useFakeTimers();
  try {
    const limit = { kind: "rateLimit", requests: 2, perSeconds: 1 };
    const all = faults({ method: "*", route: "*", fault: limit });
    expect(hits(all, 3)).toEqual([0, 0, 1]);
    expect(hits(all, 1, "GET")).toEqual([0]);
    jest.advanceTimersByTime(1001);
    expect(hits(all, 3)).toEqual([0, 0, 1]);
  } finally {
    jest.useRealTimers();
  }
});

test("can apply several rules to one request", () => {
  const rule = { method: "PATCH", route: PROJECT };
  const all = faults({ ...rule, fault: { kind: "delay", ms: 5 } }, { ...rule, fault: BUSY });
  expect(all.hit("PATCH", PROJECT).map(({ kind }) => kind)).toEqual(["delay", "answer"]);
});

test.each([
  [{ faults: [{ method: "PUT", route: PROJECT, fault: BUSY }] }, "method"],
  [{ faults: [{ method: "GET", route: PROJECT, fault: { kind: "explode" } }] }, "faults[0].fault"],
  [{ faults: [{ method: "GET", route: PROJECT, fault: BUSY, retries: 3 }] }, "retries"],
  [{ faults: [{ method: "GET", route: PROJECT, fault: { ...BUSY, status: 200 } }] }, "status"],
  [{ faults: [{ method: "GET", route: PROJECT, fault: BUSY, times: 1, forMs: 5 }] }, "times or forMs"],
  [{ faults: [{ method: "GET", route: "/project/{id}", fault: BUSY }] }, "/project/{id}"],
  [{ faults: [{ method: "POST", route: PROJECT, fault: BUSY }] }, `POST ${PROJECT}`],
  [{ faults: [{ method: "GET", route: PROJECT, fault: { ...STUCK, action: "apply" } }] }, "action"],
  [[], "expected object"],
])("refuses %j and says where", (script, where) => {
  const all = new Faults(ROUTES);
  expect(() => {
    all.set(script);
  }).toThrow(FaultScriptError);
  expect(() => {
    all.set(script);
  }).toThrow(where);
});

test("keeps the present script if another one is refused", () => {
  const all = faults({ method: "PATCH", route: PROJECT, fault: BUSY });
  expect(() => {
    all.set({ faults: [{}] });
  }).toThrow(FaultScriptError);
  expect(hits(all, 1)).toEqual([1]);
});

test("reads a script from a file, and names the file if that fails", () => {
  const folder = mkdtempSync(join(tmpdir(), "faults-"));
  try {
    const path = join(folder, "faults.json");
    const all = new Faults(ROUTES);
    expect(() => {
      all.load(path);
    }).toThrow(path);
    writeFileSync(path, "{");
    expect(() => {
      all.load(path);
    }).toThrow(path);
    writeFileSync(path, JSON.stringify({ faults: [{ method: "GET", route: PROJECT, fault: BUSY }] }));
    all.load(path);
    expect(hits(all, 1, "GET")).toEqual([1]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("releases stuck operations when another script is set", async () => {
  const all = new Faults([]);
  const { released } = all;
  all.set({ faults: [] });
  await expect(released).resolves.toBeUndefined();
});

test("tells logins, statements about roles and requests apart", () => {
  const refuse = { kind: "refuse", message: "no" };
  const slow = { kind: "controlPlane", outcome: "slow", ms: 10 };
  const all = faults(
    { on: "login", role: "bemi", times: 2, fault: refuse },
    { on: "roles", fault: slow },
    { method: "*", route: "*", fault: BUSY },
  );
  expect([all.hitLogin("other"), all.hitLogin("bemi"), all.hitLogin("bemi"), all.hitLogin("bemi")]).toEqual([
    undefined,
    refuse,
    refuse,
    undefined,
  ]);
  expect([all.hitRoles(), all.hitRoles()]).toMatchObject([slow, undefined]);
  expect(hits(all, 2)).toEqual([1, 0]);
});

test("a ghost needs a role", () => {
  const ghost = { kind: "controlPlane", outcome: "ghost" };
  expect(() => faults({ on: "roles", fault: ghost })).toThrow(/a ghost needs the name of its role/);
});
