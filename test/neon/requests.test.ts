import type { Kind } from "../../provider/contract/kind";
import { apiRole, logicalReplication } from "../../provider/neon";
import { ipAllowKind } from "../../provider/neon/ipAllow/ipAllow";
import type { RecordedTarget } from "../../provider/contract/target";
import { startBench, type Bench } from "../sandbox/neon/harness";
import { expectCareful } from "../support/requestLog";
import { liveRun, type LoggedRun } from "../support/run";
import { fastClock } from "./clocks";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench({ pace: 5 });
});
afterAll(async () => {
  const log = bench.log();
  await bench.close();
  expectCareful(log);
});

/** Does the work of one engine phase in one plugin process. Returns its requests except the polling of operations. */
async function phase(work: (run: LoggedRun) => Promise<unknown>): Promise<string[]> {
  const before = bench.log().length;
  const { apiUrl, apiKey } = bench.emulator;
  const run = liveRun({ apiUrl, apiKey, sslRootCert: bench.compute.sslRootCert });
  try {
    await work(run);
  } finally {
    await run.end();
  }
  const calls = bench.log().slice(before);
  return calls
    .map(({ method, path }) => `${method} ${path}`)
    .filter((call) => !call.includes("/operations/"));
}

async function readState<Inputs extends object, Outputs extends object>(
  kind: Kind<Inputs, Outputs>,
  state: Inputs & Partial<Outputs>,
  run: LoggedRun,
): Promise<void> {
  expect(await kind.read(state, run)).toBeDefined();
}

test("takes 12 requests for a first up, 5 for a refresh and 8 for a destroy", async () => {
  const { projectId, database } = bench.emulator;
  const ipAllow = ipAllowKind(fastClock(30));
  const setting = { projectId, database, mode: "enable" } as const;
  const role = { projectId, database, name: "bemi", adopt: false };
  const allow = { projectId, ips: ["127.0.0.1"], restrictOpenProject: true, openRestrictedProject: false };
  const oneQuery = (run: LoggedRun, recorded?: Partial<RecordedTarget>) =>
    run.sql({ projectId, database }, (session) => session.read("SELECT 1"), recorded);

  let settingState: typeof setting & Partial<RecordedTarget> = setting;
  let roleState: typeof role & object = role;
  let allowState: typeof allow & object = allow;
  const up = await phase(async (run) => {
    settingState = { ...setting, ...(await logicalReplication.create(setting, run)) };
    roleState = { ...role, ...(await apiRole.create(role, run)) };
    await oneQuery(run);
    allowState = { ...allow, ...(await ipAllow.create(allow, run)) };
  });
  const refresh = await phase(async (run) => {
    await Promise.all([
      readState(logicalReplication, settingState, run),
      readState(apiRole, roleState, run),
      readState(ipAllow, allowState, run),
      oneQuery(run, settingState),
    ]);
  });
  const destroy = await phase(async (run) => {
    await ipAllow.delete(allowState, run);
    await oneQuery(run, settingState);
    await apiRole.delete(roleState, run);
    await logicalReplication.delete(settingState, run);
  });
  expect({
    up: up.length,
    refresh: refresh.length,
    destroy: destroy.length,
    calls: { up, refresh, destroy },
  }).toEqual({
    up: 12,
    // One of them asks for the role's password, which somebody may have reset.
    refresh: 5,
    // One of them looks whether the role to be deleted is still the one that was made.
    destroy: 8,
    calls: expect.anything() as unknown,
  });
});
