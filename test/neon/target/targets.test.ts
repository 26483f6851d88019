import type { ApiRoleInputs } from "../../../provider/contract/kinds/apiRole";
import { apiRole, logicalReplication } from "../../../provider/neon";
import { ipAllowKind } from "../../../provider/neon/ipAllow/ipAllow";
import { connect, control, startBench, type Bench } from "../../sandbox/neon/harness";
import { expectCareful } from "../../support/requestLog";
import { refusal } from "../../support/refusal";
import { Resource } from "../../support/resource";
import { liveRun } from "../../support/run";
import { fastClock } from "../clocks";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench({ pace: 20 });
});
afterAll(async () => {
  const log = bench.log();
  await bench.close();
  expectCareful(log);
});

type Where = Partial<Pick<ApiRoleInputs, "projectId" | "branch" | "database">>;

function newRun(apiKey: string) {
  const { apiUrl } = bench.emulator;
  return liveRun({ apiUrl, apiKey, sslRootCert: bench.compute.sslRootCert, clock: fastClock(20) });
}

function newSetting(key = bench.emulator.apiKey) {
  return new Resource(logicalReplication, () => newRun(key));
}

function newRole(key = bench.emulator.apiKey) {
  return new Resource(apiRole, () => newRun(key));
}

function setting(where: Where = {}) {
  const { projectId, database } = bench.emulator;
  return { projectId, database, mode: "enable" as const, ...where };
}

function role(where: Where = {}): ApiRoleInputs {
  const { projectId, database } = bench.emulator;
  return { projectId, database, name: "bemi", adopt: false, ...where };
}

function allow(where: { projectId?: string } = {}) {
  const { projectId } = bench.emulator;
  const ips = ["203.0.113.7"];
  return { projectId, ips, restrictOpenProject: true, openRestrictedProject: false, ...where };
}

/** The message that the first up of a stack ends in, for both kinds. Checks that nothing was changed. */
async function refused(where: Where): Promise<string | undefined> {
  const before = bench.log().length;
  const [message, another] = [
    await refusal(newSetting().up(setting(where))),
    await refusal(newRole().up(role(where))),
  ].map((text) => text?.replace(/request id [^:]+/, "request id"));
  expect(another).toBe(message);
  const sent = bench.log().slice(before);
  expect(sent.filter(({ method }) => method !== "GET")).toEqual([]);
  return message;
}

async function newBranch(name: string, withCompute: boolean) {
  const endpoints = withCompute ? [{ type: "read_write" }] : [];
  return (await bench.done("POST", `${bench.project}/branches`, { branch: { name }, endpoints })).body;
}

describe("an API key", () => {
  const settings = async () => (await bench.api("GET", bench.project)).body.project.settings;
  const everything = (key: string, where: Where = {}) => [
    refusal(newSetting(key).up(setting(where))),
    refusal(newRole(key).up(role(where))),
    refusal(new Resource(ipAllowKind(fastClock(100)), () => newRun(key)).up(allow(where))),
  ];

  test("that is wrong makes every kind fail and say where the key is read from", async () => {
    for (const message of await Promise.all(everything("wrong-key")))
      expect(message).toMatch(/401 .*missing, invalid or revoked: .*neon-bemi:apiKey.*NEON_API_KEY/);
  });

  test("that may only read (403) makes every kind fail, and changes nothing", async () => {
    const before = await settings();
    const messages = await Promise.all(everything(bench.emulator.keys.readOnly));
    expect(messages).toEqual([
      expect.stringMatching(/403 to PATCH .*read-only.*may not do this: use a key of/),
      expect.stringMatching(/403 to POST .*read-only.*may not do this: use a key of/),
      expect.stringMatching(/403 to PATCH .*read-only.*a key that may change the project's settings/),
    ]);
    expect(await settings()).toEqual(before);
  });

  test("that is scoped to the project works in that project only", async () => {
    const key = bench.emulator.keys.project;
    const resources = [
      [newSetting(key), setting()],
      [newRole(key), role()],
      [new Resource(ipAllowKind(fastClock(100)), () => newRun(key)), allow()],
    ] as const;
    const [[on, first], [keyed, second], [list, third]] = resources;
    await on.up(first);
    await keyed.up(second);
    await list.up(third);
    await list.destroy();
    await keyed.destroy();
    for (const message of await Promise.all(everything(key, { projectId: "other-project-12345678" })))
      expect(message).toMatch(/403 to GET .*scoped to another project.*may not do this/);
  });
});

describe("a branch", () => {
  test("without a compute is refused, and the error says to add one", async () => {
    const { branch } = await newBranch("empty", false);
    expect(await refused({ branch: "empty" })).toMatch(
      new RegExp(`no read-write compute on branch empty \\(${branch.id}\\) .*: add one to the branch`),
    );
  });

  test("is found by its exact name only, among names that contain it", async () => {
    const { branch } = await newBranch("prod", true);
    await newBranch("prod-eu", false);
    await newBranch("my-prod", false);
    const made = newRole();
    await made.up(role({ branch: "prod" }));
    expect(made.state).toMatchObject({ branchId: branch.id, branchName: "prod" });
    await made.destroy();
    expect(await refused({ branch: "pro" })).toMatch(/no branch "pro"\. Its branches: .*prod/);
  });

  test("that was restored (a new id under the old name) is accepted and logged", async () => {
    const { branch } = await newBranch("dev", true);
    const kept = newSetting();
    await kept.up(setting({ branch: "dev" }));
    expect(kept.state).toMatchObject({ branchId: branch.id });
    await bench.done("DELETE", `${bench.project}/branches/${branch.id}`);
    const { branch: restored } = await newBranch("dev", true);
    const lines = await kept.refresh();
    expect(lines).toEqual([
      expect.stringContaining(
        `Branch "dev" of project ${bench.emulator.projectId} is now ${restored.id}; ${branch.id} is gone, as after a restore`,
      ),
    ]);
    await kept.up(setting({ branch: "dev" }));
    expect(kept.state).toMatchObject({ branchId: restored.id });
  });

  test("that was renamed is followed by its id, on refresh and on destroy", async () => {
    const { branch } = await newBranch("qa", true);
    const made = newRole();
    await made.up(role({ branch: "qa" }));
    const rename = { branch: { name: "quality" } };
    await bench.done("PATCH", `${bench.project}/branches/${branch.id}`, rename);
    expect(await made.refresh()).toEqual([expect.stringMatching(/"qa" .* is called "quality" now/)]);
    expect(made.state).toMatchObject({ branchId: branch.id, branchName: "quality" });
    await made.destroy();
    const { body } = await bench.api("GET", `${bench.project}/branches/${branch.id}/roles`);
    expect(body.roles.map(({ name }: { name: string }) => name)).not.toContain("bemi");
  });

  test("whose name means another branch now is refused on up and on destroy", async () => {
    const made = newRole();
    await made.up(role({ branch: "prod" }));
    const { branchId } = made.state ?? {};
    await bench.done("PATCH", `${bench.project}/branches/${branchId}`, { branch: { name: "old-prod" } });
    await newBranch("prod", true);
    expect(await refusal(made.up(role({ branch: "prod" })))).toMatch(/now means prod .* set up on old-prod/);
    expect(await refusal(made.destroy())).toMatch(/now means prod .* set up on old-prod/);
  });

  test("is found among 150, the default one among several pages; an unknown one lists a few", async () => {
    await control(bench, "branches", { prefix: "feature-", count: 150 });
    const found = newSetting();
    await found.up(setting());
    expect(found.state).toMatchObject({ branchId: bench.emulator.branchId });
    expect(await refused({ branch: "feature-77" })).toMatch(/no read-write compute on branch feature-77 /);
    expect(await refused({ branch: "feature" })).toMatch(
      /no branch "feature"\. Its branches: (feature-\d+, ){4}feature-\d+ and 15\d more\./,
    );

    await control(bench, "branches", { prefix: "preview-", count: 1_000 });
    // The list is sorted by the time of the last change, so the default branch comes last, on the second page.
    const before = bench.log().length;
    const paged = newSetting();
    await paged.up(setting());
    expect(paged.state).toMatchObject({ branchId: bench.emulator.branchId });
    const pages = bench
      .log()
      .slice(before)
      .filter(({ path }) => path.endsWith("/branches"));
    expect(pages.map(({ query }) => Object.keys(query))).toEqual([["limit"], ["limit", "cursor"]]);
  });
});

describe("a compute", () => {
  const endpoint = () => `${bench.project}/endpoints/${bench.emulator.endpointId}`;

  test("that is suspended is started", async () => {
    await bench.done("POST", `${endpoint()}/suspend`);
    const woken = newSetting();
    await woken.up(setting());
    expect(woken.state).toMatchObject({ walLevel: "logical" });
  });

  test("that is disabled is refused, and the error says to enable it", async () => {
    const old = newSetting();
    await old.up(setting());
    await bench.done("PATCH", endpoint(), { endpoint: { disabled: true } });
    expect(await refused({})).toMatch(/compute ep-\S+ on branch main .* is disabled: enable it/);
    await expect(connect(bench, bench.emulator.ownerUri())).rejects.toThrow(
      "The endpoint has been disabled. Enable it using Neon API and retry.",
    );
    expect(await refusal(old.up(setting()))).toMatch(/The endpoint has been disabled/);
    await bench.done("PATCH", endpoint(), { endpoint: { disabled: false } });
    await old.up(setting());
  });
});

describe("a project", () => {
  test("that blocks public connections is refused for a new stack", async () => {
    const block = (on: boolean) =>
      bench.done("PATCH", bench.project, { project: { settings: { block_public_connections: on } } });
    await block(true);
    expect(await refused({})).toMatch(/block_public_connections\).* Settings > Network security/);
    await block(false);
  });

  test("that stores no passwords (412) is refused for a new stack", async () => {
    const { body } = await bench.done("POST", "/projects", { project: { store_passwords: false } });
    const projectId = body.project.id;
    expect(await refused({ projectId })).toMatch(/store_passwords is off/);
    await bench.api("DELETE", `/projects/${projectId}`);
  });

  test("that the key does not see is refused for a new stack, and empties no state", async () => {
    const projectId = "no-such-project-12345678";
    const unseen = /sees no Neon project "no-such-project-12345678", .*Check projectId/;
    expect(await refused({ projectId })).toMatch(unseen);
    const resources = [
      [newRole(), { ...role({ projectId }), created: true }],
      [newSetting(), { ...setting({ projectId }), enabledHere: true }],
      [new Resource(ipAllowKind(fastClock(100)), () => newRun(bench.emulator.apiKey)), allow({ projectId })],
    ] as const;
    for (const [resource, state] of resources) {
      (resource as { state: object }).state = state;
      expect(await refusal(resource.refresh())).toMatch(unseen);
      expect(resource.state).toEqual(state);
    }
    // The setting of the project is not touched on destroy.
    for (const [resource] of [resources[0], resources[2]]) {
      expect(await refusal(resource.destroy())).toMatch(unseen);
      expect(resource.state).toBeDefined();
    }
  });

  test("without the database is refused, and the error lists its databases", async () => {
    expect(await refused({ database: "nodb" })).toMatch(/no database "nodb"\. Its databases: neondb\./);
  });
});
