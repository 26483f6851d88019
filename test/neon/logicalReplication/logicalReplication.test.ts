import { setTimeout as sleep } from "node:timers/promises";
import type { Run } from "../../../provider/contract/kind";
import { logicalReplication } from "../../../provider/neon";
import { connect, startBench, walLevel, type Bench } from "../../sandbox/neon/harness";
import { expectCareful } from "../../support/requestLog";
import { refusal } from "../../support/refusal";
import { Resource } from "../../support/resource";
import { liveRun } from "../../support/run";

let bench: Bench;
let target: { projectId: string; database: string };
beforeAll(async () => {
  bench = await startBench({ pace: 3 });
  const { projectId, database } = bench.emulator;
  target = { projectId, database };
});
afterAll(async () => {
  const log = bench.log();
  await bench.close();
  expectCareful(log);
});

function newRun() {
  const { apiUrl, apiKey } = bench.emulator;
  return liveRun({ apiUrl, apiKey, sslRootCert: bench.compute.sslRootCert });
}

/** Another resource of the same program, which asks the database until logical replication is on. */
async function neighbour(run: Run): Promise<number> {
  for (let answers = 1; ; answers++) {
    const [row] = await run.sql(target, (session) => session.read<{ wal_level: string }>("SHOW wal_level"));
    if (row?.wal_level === "logical") return answers;
    await sleep(20);
  }
}

function newOne() {
  return new Resource(logicalReplication, newRun);
}
const setting = newOne();
const inputs = () => ({ ...target, mode: "enable" as const });

/** The calls that the work made, except the polling of operations. */
async function callsOf(work: () => Promise<unknown>): Promise<string[]> {
  return (await bench.callsOf(work)).filter((call) => !call.includes("/operations/"));
}

/** An application that sends queries all the time, and connects again when its connection breaks. */
function application() {
  let [dropped, answers] = [0, 0];
  const ending = new AbortController();
  const ended = (): boolean => ending.signal.aborted;
  const session = async (): Promise<void> => {
    const connection = await connect(bench, bench.emulator.ownerUri());
    try {
      while (!ended()) {
        await connection.query("SELECT 1");
        answers++;
      }
    } catch {
      dropped++;
    } finally {
      await connection.end();
    }
  };
  const done = (async () => {
    while (!ended()) {
      // A connection during the restart is refused; the loop tries again.
      await session().catch(() => undefined);
    }
  })();
  return {
    dropped: () => dropped,
    /** Resolves when it has received one more answer. */
    async works(): Promise<void> {
      const before = answers;
      while (answers === before) await new Promise(setImmediate);
    },
    async stop(): Promise<void> {
      ending.abort();
      await done;
    },
  };
}

// The order of the tests matters, because the setting cannot be turned off again.
test("leaves the setting alone if it is only required, and says how to turn it on", async () => {
  const work = () => refusal(newOne().up({ ...inputs(), mode: "require" }));
  expect(await work()).toMatch(/is off .*"require" leaves the project alone.*all computes restart/);
  expect((await callsOf(work)).filter((call) => !call.startsWith("GET"))).toEqual([]);
});

test("says in a preview that it is off and what turning it on does, and leaves it off", async () => {
  let lines: readonly string[] = [];
  const calls = await callsOf(async () => {
    lines = await newOne().preview(inputs());
  });
  expect(lines).toEqual([
    expect.stringMatching(
      /^Logical replication of project \S+ is off: .*restarts all computes of the project, so that every connection drops once, and cannot be undone\.$/,
    ),
  ]);
  expect(calls.filter((call) => !call.startsWith("GET"))).toEqual([]);
  expect(await walLevel(bench, bench.emulator.branchId)).toBe("replica");
  expect(await refusal(newOne().preview({ ...inputs(), mode: "require" }))).toMatch(
    /is off .*"require" leaves the project alone/,
  );
  const off = await logicalReplication.find?.(bench.emulator.projectId, newRun());
  expect(off).toBeUndefined();
});

test("expects the server to be logical for the plans that follow", async () => {
  const run = newRun();
  expect((await logicalReplication.plan(inputs(), run)).outputs).toMatchObject({
    walLevel: "logical",
    enabledHere: true,
    branchName: "main",
  });
  const level = await run.sql(target, async (session) => (await run.forecast(session)).server.walLevel);
  expect(level).toBe("logical");
  await run.end();
});

test.each([
  [{ database: "nodb" }, /no database "nodb"/],
  [{ branch: "nobranch" }, /no branch "nobranch"/],
])("leaves the setting alone for a target that does not exist: %j", async (wrong, message) => {
  expect(await refusal(setting.preview({ ...inputs(), ...wrong }))).toMatch(message);
  expect(await refusal(setting.up({ ...inputs(), ...wrong }))).toMatch(message);
  const { settings } = (await bench.api("GET", bench.project)).body.project;
  expect(settings?.enable_logical_replication).toBe(false);
});

test("turns it on with one PATCH; each busy client drops once, and a session of the same program never", async () => {
  const run = newRun();
  const clients = Array.from({ length: 3 }, application);
  await Promise.all(clients.map((client) => client.works()));
  const calls = await callsOf(async () => {
    const [outputs, answers] = await Promise.all([logicalReplication.create(inputs(), run), neighbour(run)]);
    expect(answers).toBeGreaterThan(1);
    setting.state = { ...inputs(), ...outputs };
  });
  await run.end();
  const { lines } = run;
  await Promise.all(clients.map((client) => client.works()));
  expect(clients.map((client) => client.dropped())).toEqual([1, 1, 1]);
  await Promise.all(clients.map((client) => client.stop()));

  const { branchId } = bench.emulator;
  expect(setting.state).toMatchObject({ walLevel: "logical", enabledHere: true, branchId });
  expect(await bench.compute.sql(branchId, "SHOW wal_level")).toEqual([{ wal_level: "logical" }]);
  expect(lines[0]).toMatch(/all of its computes restart .* cannot turn it off again/);
  expect(lines.at(-1)).toMatch(/is on and verified, after [\d.]+ s$/);
  expect(calls.filter((call) => call.startsWith("PATCH"))).toEqual([`PATCH ${bench.project}`]);
});

test("changes nothing where it is on, nor on destroy, which says why", async () => {
  const calls = await callsOf(async () => {
    expect(await setting.preview(inputs())).toEqual([]);
    expect(await newOne().preview(inputs())).toEqual([]);
    await setting.up(inputs());
    const another = newOne();
    await another.up({ ...inputs(), mode: "require" });
    expect(another.state).toMatchObject({ enabledHere: false });
    expect(await another.destroy()).toEqual([
      expect.stringContaining("stays on: Neon cannot turn it off again"),
    ]);
  });
  expect(setting.state).toMatchObject({ enabledHere: true });
  expect(calls.filter((call) => !call.startsWith("GET"))).toEqual([]);
});

test("starts a suspended compute to ask it, and does not restart it", async () => {
  const { branchId, endpointId } = bench.emulator;
  await bench.done("POST", `${bench.project}/endpoints/${endpointId}/suspend`);
  expect(bench.compute.isRunning(branchId)).toBe(false);
  const another = newOne();
  const calls = await callsOf(() => another.up(inputs()));
  expect(another.state).toMatchObject({ walLevel: "logical" });
  expect(calls.filter((call) => !call.startsWith("GET"))).toEqual([]);
});

test("keeps the resource in the state if the key does not see the project", async () => {
  const gone = newOne();
  gone.state = { projectId: "no-such-project-1", mode: "enable", enabledHere: true };
  await expect(gone.refresh()).rejects.toThrow(/sees no Neon project "no-such-project-1"/);
  expect(gone.state).toBeDefined();
});

test("is imported by the project's id", async () => {
  const { projectId } = bench.emulator;
  const found = await logicalReplication.find?.(projectId, newRun());
  expect(found).toEqual({ inputs: { projectId }, outputs: { walLevel: "logical", enabledHere: false } });
  expect(await refusal(logicalReplication.find?.("a project", newRun()) ?? Promise.resolve())).toMatch(
    /does not name a LogicalReplication to import\. Write PROJECT/,
  );
});

test("says in a preview that a compute lags behind the setting, and does not restart it", async () => {
  const { branchId } = bench.emulator;
  bench.compute.setWalLevel(branchId, "replica");
  await bench.compute.stop(branchId);
  await bench.compute.start(branchId);
  const lines = await newOne().preview(inputs());
  expect(lines).toEqual([
    expect.stringMatching(/is on, but the compute still runs without it: the up waits 20 s .*restarts/),
  ]);
  expect(await walLevel(bench, branchId)).toBe("replica");
});
