import fc from "fast-check";
import { ipAllowInputs, type IpAllowInputs } from "../../provider/contract/inputs";
import type { IpAllowOutputs } from "../../provider/contract/outputs";
import { systemClock } from "../../provider/contract/clock";
import { ipAllowKind } from "../../provider/neon/ipAllow";
import { missing, parseEntries } from "../../provider/neon/ipList";
import { startBench, type Bench } from "../sandbox/neon/harness";
import { expectCareful } from "../support/requestLog";
import { refusal } from "../support/refusal";
import { Resource } from "../support/resource";
import { liveRun } from "../support/run";
import { fastClock } from "./clocks";
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
  test("does not restrict an open project unless told, and then gives back an open one", async () => {
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

  test("that would lock this machine out is announced in the preview", () => {
    const kind = ipAllowKind(systemClock);
    expect(kind.notice?.(inputs(["203.0.113.7"]))).toBeUndefined();
    expect(kind.notice?.(inputs(["203.0.113.7"], { restrictOpenProject: true }))).toMatch(
      /only 203\.0\.113\.7 may connect: not this machine either/,
    );
  });

  test("that is the last one of a list that others had restricted stays, unless told", async () => {
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
    "that lets everybody in is refused, unless told: %s",
    async (everything) => {
      await setList(["198.51.100.1"]);
      expect(await refusal(newOne().up(inputs([everything])))).toMatch(/would open project/);
      expect(await list()).toEqual(["198.51.100.1"]);
    },
  );

  test("follows changes of the program, and leaves what was there before us", async () => {
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

  test("within a wider one is added all the same, and the overlap is said", async () => {
    await setList(["203.0.113.0/24"]);
    const lines = await newOne().up(inputs(["203.0.113.7"]));
    expect(lines).toEqual([expect.stringContaining("203.0.113.7 lies within 203.0.113.0/24")]);
    expect(await list()).toEqual(["203.0.113.0/24", "203.0.113.7"]);
  });

  test("that vanished is shown as drift, and put back", async () => {
    await setList(["198.51.100.1"]);
    const one = newOne();
    await one.up(inputs(["203.0.113.7"]));
    await setList(["198.51.100.1"], true);
    expect(await bench.callsOf(() => one.refresh())).toEqual([`GET ${bench.project}`]);
    expect(one.drift).toEqual({ "not on the IP Allow list": ["203.0.113.7"] });
    await one.up(inputs(["203.0.113.7"]));
    expect(await listOf(bench.project)).toEqual({ ips: ["198.51.100.1", "203.0.113.7"], only: true });
  });

  test("takes four requests to be added, and one to be found", async () => {
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

  test("is refused in Neon's words where the plan lacks the feature, and is not remembered", async () => {
    await setList(["198.51.100.1"]);
    const fault = { kind: "answer", status: 400, message: "IP allow is not available on your plan" };
    bench.emulator.setFaults({ faults: [{ method: "PATCH", route: PROJECT, fault }] });
    const one = newOne();
    expect(await refusal(one.up(inputs(["203.0.113.7"])))).toMatch(
      /400 .*IP allow is not available on your plan\. IP Allow needs Neon's Scale plan/,
    );
    expect(one.state).toBeUndefined();
  });

  test("that was sent before the line broke is remembered as ours", async () => {
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

  test("that cannot be read is refused in the preview, each by name", () => {
    const result = ipAllowKind(systemClock).inputs.safeParse(
      inputs(["nonsense", "203.0.113.7", "10.0.0.0/64"]),
    );
    expect(result.error?.issues.map(({ message, path }) => `${path.join(".")}: ${message}`)).toEqual([
      'ips: "nonsense" is not an IPv4 or IPv6 address, a CIDR block or a range a-b',
      'ips: "10.0.0.0/64" has a prefix that is not 0 to 32',
    ]);
    expect(ipAllowInputs.safeParse(inputs([])).success).toBe(false);
  });
});

const some = fc.array(entries, { minLength: 1, maxLength: 5 });
const allowed = { restrictOpenProject: true, openRestrictedProject: true } as const;

/** What up has to leave behind. */
function merged(before: readonly string[], wanted: readonly string[]): string[] {
  return [...before, ...missing(before, parseEntries(wanted)).map(({ text }) => text)];
}

test("property: up gives the list and the missing of ours, order and flag untouched; destroy gives it back", async () => {
  await fc.assert(
    fc.asyncProperty(lists, some, fc.boolean(), async (before, wanted, only) => {
      await setList(before, only);
      const one = newOne();
      await one.up(inputs(wanted, allowed));
      expect(await listOf(bench.project)).toEqual({ ips: merged(before, wanted), only });
      await one.destroy();
      expect(await listOf(bench.project)).toEqual({ ips: before, only });
    }),
    { numRuns: 40 },
  );
});

/**
 * When a foreign writer's PATCH lands, and with which list: the one it read before us, or the one of the moment, each
 * time with its own entries. It looks only once, as Neon's own command line client does.
 */
const MOMENTS: Readonly<Record<string, { method: "GET" | "PATCH"; skip: number; sees: "old" | "ours" }>> = {
  "between our read and our PATCH": { method: "GET", skip: 0, sees: "old" },
  "after our PATCH": { method: "PATCH", skip: 0, sees: "ours" },
  "after our PATCH, from an old list": { method: "PATCH", skip: 0, sees: "old" },
  "after our last look, from an old list": { method: "GET", skip: 2, sees: "old" },
};

test.each(Object.keys(MOMENTS))(
  "property: twenty runs against a foreign writer end with both parties' entries, and leave its own: %s",
  async (moment) => {
    const { method = "GET", skip = 0, sees } = MOMENTS[moment] ?? {};
    const foreign = fc.uniqueArray(entries, { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(lists, some, foreign, async (before, wanted, theirs) => {
        const ours = merged(before, wanted);
        // Something has to be sent, and an entry that both want has no owner to tell by.
        fc.pre(
          ours.length > before.length &&
            merged(theirs, wanted).length === theirs.length + parseEntries(wanted).length,
        );
        await setList(before, true);
        const allowedIps = {
          ips: [...(sees === "old" ? before : ours), ...theirs],
          protected_branches_only: false,
        };
        bench.emulator.setFaults({
          faults: [
            { method, route: PROJECT, skip, fault: { kind: "otherWriter", allowedIps, when: "after" } },
            // Our look beside the PATCH is under way at the same time, and has to come first.
            { method: "PATCH", route: PROJECT, fault: { kind: "delay", ms: 20 } },
          ],
        });
        const one = newOne();
        await one.up(inputs(wanted, allowed));
        bench.emulator.setFaults({ faults: [] });
        if (moment.startsWith("after our last look")) {
          await one.refresh();
          expect(one.drift).toHaveProperty("not on the IP Allow list");
          await one.up(inputs(wanted, allowed));
        }
        const after = await listOf(bench.project);
        expect(after.only).toBe(false);
        expect([...after.ips].sort()).toEqual(expect.arrayContaining([...ours, ...theirs].sort()));
        await one.destroy();
        const left = new Set((await listOf(bench.project)).ips);
        expect(left).toEqual(new Set([...before, ...theirs]));
      }),
      { numRuns: 20 },
    );
  },
);

test("twenty interleaved runs of two stacks end with both parties' entries, and leave as they came", async () => {
  const before = ["198.51.100.1", "2001:db8::/32"];
  // Real delays, on a third of the real time: a write that lands late does so well before a stack looks again.
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
