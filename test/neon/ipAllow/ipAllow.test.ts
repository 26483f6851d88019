import fc from "fast-check";
import {
  type IpAllowInputs,
  type IpAllowOutputs,
  ipAllowInputs,
} from "../../../provider/contract/kinds/ipAllow";
import { mistakesIn, type Checked } from "../../../provider/contract/mistakes";
import { trailInputs } from "../../../provider/contract/trail";
import { ipAllowKind } from "../../../provider/neon/ipAllow/ipAllow";
import { missing, parseEntries } from "../../../provider/neon/allowList/list";
import { startBench, type Bench } from "../../sandbox/neon/harness";
import { expectCareful } from "../../support/requestLog";
import { refusal } from "../../support/refusal";
import { Resource } from "../../support/resource";
import { liveRun } from "../../support/run";
import { fastClock } from "../clocks";
import { entries, lists } from "./entries";

const PROJECT = "/projects/{project_id}";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench({ servers: false, pace: 100 });
});
afterEach(() => {
  bench.emulator.setFaults({ faults: [] });
});
afterAll(async () => {
  const log = bench.log();
  await bench.close();
  expectCareful(log);
});

function newOne(clock = fastClock(300)): Resource<IpAllowInputs, IpAllowOutputs> {
  const { apiUrl, apiKey } = bench.emulator;
  const { sslRootCert } = bench.compute;
  return new Resource(ipAllowKind(clock), () => liveRun({ apiUrl, apiKey, sslRootCert, clock }));
}

function inputs(ips: string[], changes: Partial<IpAllowInputs> = {}): IpAllowInputs {
  const { projectId } = bench.emulator;
  return { projectId, ips, restrictOpenProject: false, openRestrictedProject: false, ...changes };
}

async function listOf(path: string) {
  const { allowed_ips } = (await bench.api("GET", path)).body.project.settings ?? {};
  return { ips: allowed_ips?.ips ?? [], only: allowed_ips?.protected_branches_only ?? false };
}

async function setListOf(path: string, ips: readonly string[], only = false): Promise<void> {
  const allowed_ips = { ips, protected_branches_only: only };
  await bench.done("PATCH", path, { project: { settings: { allowed_ips } } });
}

const list = async () => (await listOf(bench.project)).ips;
const setList = (ips: readonly string[], only = false) => setListOf(bench.project, ips, only);

describe("an entry", () => {
  test("restricts an open project only if permitted, and a destroy opens it again", async () => {
    await setList([]);
    const one = newOne();
    expect(await refusal(one.up(inputs(["203.0.113.7"])))).toMatch(
      /is empty, .* set restrictOpenProject: true/,
    );
    expect(await list()).toEqual([]);
    const lines = await one.up(inputs(["203.0.113.7"], { restrictOpenProject: true }));
    expect(lines).toEqual([
      expect.stringMatching(/only 203\.0\.113\.7 may connect .* not this machine either/),
    ]);
    expect(one.state).toMatchObject({ added: ["203.0.113.7"], wasOpen: true });
    expect(await one.destroy()).toEqual([expect.stringMatching(/becomes empty: every address may connect/)]);
    expect(await list()).toEqual([]);
  });

  test("is named in a preview, with whom it locks out and what stays on the list", async () => {
    await setList([]);
    const one = newOne();
    const open = inputs(["203.0.113.7"]);
    expect(await refusal(one.preview(open))).toMatch(/is empty, .* set restrictOpenProject: true/);
    const calls = await bench.callsOf(async () => {
      expect(await one.preview({ ...open, restrictOpenProject: true })).toEqual([
        `1 entry is added to the IP Allow list of project ${bench.emulator.projectId}: 203.0.113.7.`,
        expect.stringMatching(/only 203\.0\.113\.7 may connect .*: not this machine either/),
      ]);
    });
    expect(calls).toEqual([`GET ${bench.project}`]);

    await setList(["198.51.100.1", "203.0.113.0/24"]);
    await one.up(inputs(["203.0.113.7", "203.0.113.8"]));
    expect(await one.preview(inputs(["203.0.113.7", "203.0.113.8"]))).toEqual([]);
    expect(await one.preview(inputs(["203.0.113.8", "203.0.113.9"]))).toEqual([
      `1 entry is taken off the IP Allow list of project ${bench.emulator.projectId}: 203.0.113.7.`,
      `1 entry is added to the IP Allow list of project ${bench.emulator.projectId}: 203.0.113.9.`,
      "3 entries stay on the list.",
      expect.stringMatching(/^203\.0\.113\.9 lies within 203\.0\.113\.0\/24/),
    ]);
    await one.destroy();
  });

  test("on a list is imported with all others, and a destroy leaves them there", async () => {
    await setList(["198.51.100.1", "no entry", "203.0.113.0/24"]);
    const { projectId, apiUrl, apiKey } = bench.emulator;
    const clock = fastClock(300);
    const run = liveRun({ apiUrl, apiKey, sslRootCert: bench.compute.sslRootCert, clock });
    const kind = ipAllowKind(clock);
    const found = await kind.find?.(projectId, run);
    expect(found?.inputs).toEqual({ projectId, ips: ["198.51.100.1", "203.0.113.0/24"] });
    const state = { ...inputs(["198.51.100.1", "203.0.113.0/24"]), ...found?.outputs };
    expect(await kind.read(state, run)).toMatchObject({ drift: {}, outputs: { added: [] } });
    await kind.delete(state, run);
    expect(await list()).toEqual(["198.51.100.1", "no entry", "203.0.113.0/24"]);
    expect(await refusal(kind.find?.(`${projectId}/main`, run) ?? Promise.resolve())).toMatch(
      /does not name an IpAllow to import\. Write PROJECT, for example/,
    );
    await run.end();
  });

  test("that is the last one of a list that others restricted stays, unless permitted", async () => {
    await setList(["198.51.100.1"]);
    const one = newOne();
    await one.up(inputs(["203.0.113.7"]));
    await setList(["203.0.113.7"]);
    expect(await refusal(one.destroy())).toMatch(
      /would be open to every address .* openRestrictedProject: true/,
    );
    expect(await list()).toEqual(["203.0.113.7"]);
    await one.up(inputs(["203.0.113.7"], { openRestrictedProject: true }));
    await one.destroy();
    expect(await list()).toEqual([]);
  });

  test.each(["0.0.0.0/0", "::/0", "0.0.0.0-255.255.255.255"])(
    "that admits every address is refused, unless permitted: %s",
    async (everything) => {
      await setList(["198.51.100.1"]);
      expect(await refusal(newOne().up(inputs([everything])))).toMatch(/would open project/);
      expect(await list()).toEqual(["198.51.100.1"]);
    },
  );

  test("follows changes of the inputs, and leaves entries of others in place", async () => {
    await setList(["198.51.100.1", "203.0.113.7/32"]);
    const one = newOne();
    await one.up(inputs(["203.0.113.7", "203.0.113.8", "2001:DB8::1"]));
    expect(await list()).toEqual(["198.51.100.1", "203.0.113.7/32", "203.0.113.8", "2001:db8::1"]);
    expect(one.state).toMatchObject({ added: ["203.0.113.8", "2001:db8::1"] });
    await one.up(inputs(["203.0.113.8", "203.0.113.9"]));
    expect(await list()).toEqual(["198.51.100.1", "203.0.113.7/32", "203.0.113.8", "203.0.113.9"]);
    await one.destroy();
    expect(await list()).toEqual(["198.51.100.1", "203.0.113.7/32"]);
  });

  test("that another writer spelled differently survives the removal of the module's own", async () => {
    await setList(["198.51.100.1"]);
    const one = newOne();
    await one.up(inputs(["203.0.113.7", "203.0.113.8"]));
    const foreign = ["198.51.100.1", "203.0.113.7/32", "203.0.113.8/32"];
    await setList([...foreign, "203.0.113.7", "203.0.113.8"]);
    await one.up(inputs(["203.0.113.8"]));
    expect(await list()).toEqual([...foreign, "203.0.113.8"]);
    await one.destroy();
    expect(await list()).toEqual(foreign);
  });

  test("that a wider entry covers is added too, and the overlap is logged", async () => {
    await setList(["203.0.113.0/24"]);
    const lines = await newOne().up(inputs(["203.0.113.7"]));
    expect(lines).toEqual([expect.stringContaining("203.0.113.7 lies within 203.0.113.0/24")]);
    expect(await list()).toEqual(["203.0.113.0/24", "203.0.113.7"]);
  });

  test("that somebody removed is shown as drift, and added again", async () => {
    await setList(["198.51.100.1"]);
    const one = newOne();
    await one.up(inputs(["203.0.113.7"]));
    await setList(["198.51.100.1"], true);
    expect(await bench.callsOf(() => one.refresh())).toEqual([`GET ${bench.project}`]);
    expect(one.drift).toEqual({ missingEntries: "203.0.113.7" });
    await one.up(inputs(["203.0.113.7"]));
    expect(await listOf(bench.project)).toEqual({ ips: ["198.51.100.1", "203.0.113.7"], only: true });
  });

  test("takes four requests to add, and one if it is on the list", async () => {
    await setList(["198.51.100.1"]);
    const { project } = bench;
    const calls = await bench.callsOf(() => newOne().up(inputs(["203.0.113.7"])));
    expect([...calls].sort()).toEqual([
      `GET ${project}`,
      `GET ${project}`,
      `GET ${project}`,
      `PATCH ${project}`,
    ]);
    expect(await bench.callsOf(() => newOne().up(inputs(["203.0.113.7"])))).toEqual([`GET ${project}`]);
  });

  test("fails with Neon's message if the plan lacks IP Allow, and leaves no state", async () => {
    await setList(["198.51.100.1"]);
    const fault = { kind: "answer", status: 400, message: "IP allow is not available on your plan" };
    bench.emulator.setFaults({ faults: [{ method: "PATCH", route: PROJECT, fault }] });
    const one = newOne();
    expect(await refusal(one.up(inputs(["203.0.113.7"])))).toMatch(
      /400 .*IP allow is not available on your plan\. IP Allow needs Neon's Scale plan/,
    );
    expect(one.state).toBeUndefined();
  });

  test("that was sent before the connection failed is kept in the state", async () => {
    await setList(["198.51.100.1"]);
    const fault = { kind: "answer", status: 500 };
    bench.emulator.setFaults({
      faults: [{ method: "GET", route: PROJECT, skip: 2, times: 1_000, fault }],
    });
    const one = newOne();
    expect(await refusal(one.up(inputs(["203.0.113.7"])))).toMatch(/500 to GET/);
    bench.emulator.setFaults({ faults: [] });
    expect(one.state).toMatchObject({ added: ["203.0.113.7"] });
    await one.up(inputs(["203.0.113.7"]));
    await one.destroy();
    expect(await list()).toEqual(["198.51.100.1"]);
  });

  test("that cannot be parsed is refused in the preview, each by name", () => {
    const bad = ["nonsense", "203.0.113.7", "10.0.0.0/64"];
    const said = ({ mistakes }: Checked<unknown>) =>
      mistakes.map(({ path, message }) => `${path} ${message}`);
    expect(said(mistakesIn(ipAllowInputs, inputs(bad)))).toEqual([
      'ips[0] "nonsense" is not an IPv4 or IPv6 address, a CIDR block or a range a-b',
      'ips[2] "10.0.0.0/64" has a prefix that is not 0 to 32',
    ]);
    const trail = { projectId: "p", database: "d", allowedIps: bad };
    expect(said(mistakesIn(trailInputs, trail))).toEqual([
      'allowedIps[0] "nonsense" is not an IPv4 or IPv6 address, a CIDR block or a range a-b',
      'allowedIps[2] "10.0.0.0/64" has a prefix that is not 0 to 32',
    ]);
    expect(ipAllowInputs.safeParse(inputs([])).success).toBe(false);
  });
});

const some = fc.array(entries, { minLength: 1, maxLength: 5 });
const allowed = { restrictOpenProject: true, openRestrictedProject: true } as const;

/** The list that an up has to leave behind. */
function merged(before: readonly string[], ips: readonly string[]): string[] {
  return [...before, ...missing(before, parseEntries(ips)).map(({ text }) => text)];
}

describe("two resources of a stack for one project", () => {
  const kind = ipAllowKind(fastClock(300));
  const process = () => {
    const { apiUrl, apiKey } = bench.emulator;
    return liveRun({ apiUrl, apiKey, sslRootCert: bench.compute.sslRootCert, clock: fastClock(300) });
  };

  test("share entries: the last one that names an entry takes it from the list", async () => {
    await setList(["198.51.100.0/24"]);
    const [both, one] = [inputs(["203.0.113.7", "203.0.113.8"]), inputs(["203.0.113.7", "203.0.113.9"])];
    const first = { ...both, ...(await kind.create(both, process())) };
    const planned = await kind.plan(one, process(), undefined, undefined, [first]);
    expect(planned.outputs.added).toEqual(["203.0.113.7", "203.0.113.9"]);
    const second = { ...one, ...(await kind.create(one, process(), undefined, [first])) };
    expect(second).toMatchObject({ added: ["203.0.113.7", "203.0.113.9"], wasOpen: false });
    await kind.delete(first, process(), false, [second]);
    expect(await list()).toEqual(["198.51.100.0/24", "203.0.113.7", "203.0.113.9"]);
    await kind.delete(second, process(), false, []);
    expect(await list()).toEqual(["198.51.100.0/24"]);
  });

  test("keep an entry that one of them no longer names", async () => {
    await setList(["198.51.100.0/24"]);
    const [wide, narrow] = [inputs(["203.0.113.7", "203.0.113.8"]), inputs(["203.0.113.8"])];
    const first = { ...wide, ...(await kind.create(wide, process())) };
    const second = { ...wide, ...(await kind.create(wide, process(), undefined, [first])) };
    const changed = { ...narrow, ...(await kind.update(first, narrow, process(), [second])) };
    expect(changed.added).toEqual(["203.0.113.8"]);
    expect(await list()).toEqual(["198.51.100.0/24", "203.0.113.7", "203.0.113.8"]);
    await kind.delete(changed, process(), false, [second]);
    await kind.delete(second, process(), false, []);
    expect(await list()).toEqual(["198.51.100.0/24"]);
  });
});

test("property: up only appends the lacking entries, and destroy removes them", async () => {
  await fc.assert(
    fc.asyncProperty(lists, some, fc.boolean(), async (before, ips, only) => {
      await setList(before, only);
      const one = newOne();
      await one.up(inputs(ips, allowed));
      expect(await listOf(bench.project)).toEqual({ ips: merged(before, ips), only });
      await one.destroy();
      expect(await listOf(bench.project)).toEqual({ ips: before, only });
    }),
    { numRuns: 40 },
  );
});

/**
 * When the PATCH of another writer arrives, and to which list it adds its own entries: the list before the up, or the
 * list with the up's entries. It writes only once, as Neon's command line client does.
 */
const MOMENTS: Readonly<Record<string, { method: "GET" | "PATCH"; skip: number; sees: "before" | "after" }>> =
  {
    "between read and PATCH": { method: "GET", skip: 0, sees: "before" },
    "after the PATCH": { method: "PATCH", skip: 0, sees: "after" },
    "after the PATCH, from an old list": { method: "PATCH", skip: 0, sees: "before" },
    "after the last read, from an old list": { method: "GET", skip: 2, sees: "before" },
  };

test.each(Object.keys(MOMENTS))(
  "property: another writer's entries survive up and destroy: %s",
  async (moment) => {
    const { method = "GET", skip = 0, sees } = MOMENTS[moment] ?? {};
    const foreign = fc.uniqueArray(entries, { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(lists, some, foreign, async (before, ips, foreignIps) => {
        const expected = merged(before, ips);
        // The up must have something to add, and not the same as the other writer, because such an entry has no owner.
        fc.pre(
          expected.length > before.length &&
            merged(foreignIps, ips).length === foreignIps.length + parseEntries(ips).length,
        );
        await setList(before, true);
        const allowedIps = {
          ips: [...(sees === "before" ? before : expected), ...foreignIps],
          protected_branches_only: false,
        };
        bench.emulator.setFaults({
          faults: [
            { method, route: PROJECT, skip, fault: { kind: "otherWriter", allowedIps, when: "after" } },
            // The read that is sent together with the PATCH has to arrive first.
            { method: "PATCH", route: PROJECT, fault: { kind: "delay", ms: 20 } },
          ],
        });
        const one = newOne();
        await one.up(inputs(ips, allowed));
        bench.emulator.setFaults({ faults: [] });
        if (moment.startsWith("after the last read")) {
          await one.refresh();
          expect(one.drift).toHaveProperty("missingEntries");
          await one.up(inputs(ips, allowed));
        }
        const after = await listOf(bench.project);
        expect(after.only).toBe(false);
        expect([...after.ips].sort()).toEqual(expect.arrayContaining([...expected, ...foreignIps].sort()));
        await one.destroy();
        const left = new Set((await listOf(bench.project)).ips);
        expect(left).toEqual(new Set([...before, ...foreignIps]));
      }),
      { numRuns: 20 },
    );
  },
);

test("two stacks at the same time both add their entries and both remove them, twenty times", async () => {
  const before = ["198.51.100.1", "2001:db8::/32"];
  // The delays are real, and the clock only three times faster: a late write arrives well before a stack reads again.
  const clock = fastClock(3);
  const delays = fc.sample(fc.integer({ min: 0, max: 100 }), { seed: 1, numRuns: 400 });
  const runs = await Promise.all(
    Array.from({ length: 20 }, async (_, at) => {
      const { id } = (await bench.api("POST", "/projects", { project: {} })).body.project;
      const two = [`203.0.113.${at + 1}`, `203.0.113.${at + 101}-203.0.113.${at + 102}`];
      return { id, path: `/projects/${id}`, stacks: two.map((ip) => ({ ip, one: newOne(clock) })) };
    }),
  );
  await bench.emulator.settled();
  for (const { path } of runs) await setListOf(path, before, true);
  bench.emulator.setFaults({
    faults: delays.map((ms, skip) => ({ method: "*", route: PROJECT, skip, fault: { kind: "delay", ms } })),
  });

  const all = runs.flatMap(({ id, stacks }) => stacks.map((stack) => ({ id, ...stack })));
  await Promise.all(all.map(({ id, one, ip }) => one.up({ ...inputs([ip]), projectId: id })));
  for (const { path, stacks } of runs) {
    const { ips, only } = await listOf(path);
    expect(ips.slice(0, 2)).toEqual(before);
    expect([...ips].sort()).toEqual([...before, ...stacks.map(({ ip }) => ip)].sort());
    expect(only).toBe(true);
  }
  const repairs = bench.log().filter(({ method, faults }) => method === "PATCH" && faults !== undefined);
  expect(repairs.length).toBeGreaterThan(all.length);

  await Promise.all(all.map(({ one }) => one.destroy()));
  for (const { path } of runs) expect(await listOf(path)).toEqual({ ips: before, only: true });
});
