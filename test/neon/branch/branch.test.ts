import { setTimeout as sleep } from "node:timers/promises";
import type { BranchInputs } from "../../../provider/contract/kinds/branch";
import { branch } from "../../../provider/neon";
import { startBench, type Bench } from "../../sandbox/neon/harness";
import { refusal } from "../../support/refusal";
import { expectCareful } from "../../support/requestLog";
import { Resource } from "../../support/resource";
import { liveRun } from "../../support/run";
import { fastClock } from "../clocks";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench({ servers: false, pace: 20 });
});
afterAll(async () => {
  const log = bench.log();
  await bench.close();
  expectCareful(log);
});
afterEach(() => {
  bench.emulator.setFaults({ faults: [] });
});

function newOne(checkpoint?: () => void) {
  const { apiUrl, apiKey } = bench.emulator;
  const { sslRootCert } = bench.compute;
  return new Resource(branch, () =>
    liveRun({ apiUrl, apiKey, sslRootCert, clock: fastClock(50), checkpoint }),
  );
}

function inputs(name: string, changes: Partial<BranchInputs> = {}): BranchInputs {
  const { projectId } = bench.emulator;
  return { projectId, name, schemaOnly: false, managedBy: `shop/${name}/preview`, ...changes };
}

async function names(): Promise<string[]> {
  return (await bench.api("GET", `${bench.project}/branches`)).body.branches.map(({ name }) => name).sort();
}

function path(one: ReturnType<typeof newOne>): string {
  return `${bench.project}/branches/${one.state?.branchId}`;
}

test("is made with a compute, stays on up, and is deleted on destroy", async () => {
  const one = newOne();
  const calls = await bench.callsOf(async () => {
    expect(await one.preview(inputs("pr-1"))).toEqual([
      expect.stringMatching(/^Branch pr-1 .* is made from main \(br-.*\), with all data/),
    ]);
  });
  expect(calls).toEqual([`GET ${bench.project}`, `GET ${bench.project}/branches`]);

  await one.up(inputs("pr-1"));
  expect(one.state).toMatchObject({
    branchId: expect.stringMatching(/^br-/) as unknown,
    endpointId: expect.stringMatching(/^ep-/) as unknown,
    host: "localhost",
    parentId: bench.emulator.branchId,
    createdAt: expect.stringMatching(/^20.*Z$/) as unknown,
  });
  expect((await bench.api("GET", path(one))).body).toMatchObject({
    branch: { name: "pr-1", protected: false, parent_id: bench.emulator.branchId },
    annotation: { value: { "pulumi-neon-bemi": "shop/pr-1/preview" } },
  });
  const before = one.state;
  expect(await one.preview(inputs("pr-1"))).toEqual([]);
  await one.up(inputs("pr-1"));
  expect(one.state).toEqual(before);
  expect(one.drift).toEqual({});

  await one.destroy();
  expect(await names()).toEqual(["main"]);
});

test("with the schema only has no parent in Neon, and is deleted all the same", async () => {
  const one = newOne();
  await one.up(inputs("empty", { schemaOnly: true, parent: "main", expiresInHours: 2 }));
  expect(one.state).toMatchObject({ parentId: bench.emulator.branchId });
  const { init_source, expires_at = "" } = (await bench.api("GET", path(one))).body.branch;
  expect(init_source).toBe("schema-only");
  expect((Date.parse(expires_at) - Date.now()) / 3_600_000).toBeCloseTo(2, 1);
  expect(one.state?.expiresAt).toBe(expires_at);
  await one.up(inputs("empty", { schemaOnly: true, parent: "main" }));
  expect((await bench.api("GET", path(one))).body.branch).not.toHaveProperty("expires_at");
  expect(one.state?.expiresAt).toBeUndefined();
  await one.destroy();
  expect(await names()).toEqual(["main"]);
});

test("that has expired is gone: up makes it again, and destroy succeeds", async () => {
  const one = newOne();
  await one.up(inputs("short", { expiresInHours: 1 }));
  const first = one.state?.branchId;
  const expire = async () => {
    await bench.done("PATCH", path(one), { branch: { expires_at: new Date(Date.now() + 50).toISOString() } });
    await sleep(60);
  };
  await expire();
  await one.refresh();
  expect(one.state).toBeUndefined();
  await one.up(inputs("short", { expiresInHours: 1 }));
  expect(one.state?.branchId).not.toBe(first);
  await expire();
  expect(await one.destroy()).toEqual([
    expect.stringMatching(/^Branch short of project .* is gone already$/),
  ]);
});

test("that somebody renamed is drift, and gets its name back", async () => {
  const one = newOne();
  await one.up(inputs("pr-2"));
  await bench.done("PATCH", path(one), { branch: { name: "mine" } });
  await one.refresh();
  expect(one.drift).toEqual({ branchRenamed: '"pr-2" is "mine" now' });
  expect(await one.preview(inputs("pr-2"))).toEqual(["Branch mine gets back its name pr-2."]);
  await one.up(inputs("pr-2"));
  expect(await names()).toEqual(["main", "pr-2"]);
  await one.destroy();
});

test("keeps its recorded compute in the state when somebody has deleted it", async () => {
  const one = newOne();
  await one.up(inputs("pr-3"));
  const { endpointId } = one.state ?? {};
  await bench.done("DELETE", `${bench.project}/endpoints/${endpointId}`);
  await one.refresh();
  expect(one.state).toMatchObject({ endpointId });
  await one.destroy();
});

test("of an up that was killed after the request is taken over by the next one", async () => {
  let alive = true;
  const killed = newOne(() => {
    if (!alive) throw new Error("killed");
  });
  const { projectId } = bench.emulator;
  // The checkpoint after the request is that before the first look at its operations.
  const dying = killed.up(inputs("pr-4")).catch(() => undefined);
  while (!(await names()).includes("pr-4")) await sleep(5);
  alive = false;
  await dying;
  killed.state = undefined;

  const one = newOne();
  const taken = `Branch pr-4 exists with this resource's mark and is taken over: an up that was interrupted left it, or a stack of the same name in another backend made it.`;
  expect(await one.preview(inputs("pr-4"))).toEqual([taken]);
  expect(await one.up(inputs("pr-4"))).toEqual([taken]);
  expect(one.state).toMatchObject({
    projectId,
    ownershipId: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown,
  });
  await one.destroy();
  expect(await names()).toEqual(["main"]);
});

test("is found again when Neon's answer to its creation is lost", async () => {
  bench.emulator.setFaults({
    faults: [
      {
        method: "POST",
        route: "/projects/{project_id}/branches",
        fault: { kind: "cut", when: "after" },
        times: 1,
      },
    ],
  });
  const one = newOne();
  await one.up(inputs("pr-5"));
  expect((await names()).filter((name) => name === "pr-5")).toEqual(["pr-5"]);
  await one.destroy();
});

test("of a name that is taken is refused, and that branch survives", async () => {
  const { id } = (await bench.done("POST", `${bench.project}/branches`, { branch: { name: "taken" } })).body
    .branch;
  const one = newOne();
  for (const work of [one.preview(inputs("taken")), one.up(inputs("taken"))])
    expect(await refusal(work)).toMatch(
      /^Branch taken \(br-.*\) .* exists already, and was not made by this/,
    );
  expect(await one.destroy()).toEqual([]);
  expect(await names()).toEqual(["main", "taken"]);
  await bench.done("DELETE", `${bench.project}/branches/${id}`);
});

test.each([
  ["default", "POST", "/set_as_default", undefined, /is the project's default branch now/],
  ["protected", "PATCH", "", { branch: { protected: true } }, /somebody has protected it/],
])("that has become %s is not deleted", async (_how, method, suffix, body, message) => {
  const one = newOne();
  await one.up(inputs("pr-6"));
  await bench.done(method, `${path(one)}${suffix}`, body);
  expect(await refusal(one.destroy())).toMatch(message);
  expect(await names()).toEqual(["main", "pr-6"]);
  await bench.done("POST", `${bench.branch}/set_as_default`);
  await bench.done("PATCH", path(one), { branch: { protected: false } });
  await one.destroy();
});

test("from which another branch was made is not deleted before that one", async () => {
  const one = newOne();
  await one.up(inputs("pr-7"));
  const { body } = await bench.done("POST", `${bench.project}/branches`, {
    branch: { name: "child", parent_id: one.state?.branchId },
  });
  expect(await refusal(one.destroy())).toMatch(/other branches were made from it \(child\)/);
  await bench.done("DELETE", `${bench.project}/branches/${body.branch.id}`);
  await one.destroy();
  expect(await names()).toEqual(["main"]);
});

test("cannot be imported, because a destroy would delete it", async () => {
  const { projectId } = bench.emulator;
  const run = liveRun({ apiUrl: bench.emulator.apiUrl, apiKey: bench.emulator.apiKey, sslRootCert: "" });
  expect(await refusal(Promise.resolve(branch.find?.(`${projectId}/main`, run)))).toMatch(
    /cannot be imported as a Branch: .* Name a branch that exists where it is used/,
  );
});
