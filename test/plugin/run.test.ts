import type { NeonApi } from "../../provider/contract/neonApi";
import type { ResolvedTarget } from "../../provider/contract/target";
import { CommandMemory } from "../../provider/plugin/commandMemory";
import { makeRun, type RunParts } from "../../provider/plugin/run";

const TARGET = { projectId: "cool-darkness-123456", database: "neondb" };
const MEANT: ResolvedTarget = {
  projectId: TARGET.projectId,
  branchId: "br-cool-sea-123456",
  branchName: "main",
  branchIsDefault: true,
  endpointId: "ep-cool-sea-123456",
  host: "localhost",
  database: { name: "neondb", owner: "neondb_owner" },
};

function newRun(parts: Partial<RunParts> = {}) {
  return makeRun({
    neon: () => {
      throw new Error("there is no API key");
    },
    connection: {},
    memory: new CommandMemory(undefined),
    log: () => undefined,
    checkpoint: () => undefined,
    ...parts,
  });
}

test("needs no Neon API before a handler asks for it", async () => {
  const run = newRun();
  expect(() => run.neon).toThrow("there is no API key");
  await expect(run.sql(TARGET, () => Promise.resolve())).rejects.toThrow("there is no API key");
  await run.end();
});

test("looks every target up once, for each branch that a state records", async () => {
  const resolve = jest.fn(() => Promise.resolve(MEANT));
  const run = newRun({ resolve });
  expect(await Promise.all([run.resolve(TARGET), run.resolve({ ...TARGET })])).toEqual([MEANT, MEANT]);
  expect(resolve).toHaveBeenCalledTimes(1);
  await run.resolve(TARGET, { branchId: MEANT.branchId });
  await run.resolve({ ...TARGET, branch: "dev" });
  expect(resolve).toHaveBeenCalledTimes(3);
});

test("looks a target up again after an error", async () => {
  const resolve = jest.fn(() => Promise.resolve(MEANT));
  resolve.mockRejectedValueOnce(new Error("no such branch"));
  const run = newRun({ resolve });
  await expect(run.resolve(TARGET)).rejects.toThrow("no such branch");
  expect(await run.resolve(TARGET)).toEqual(MEANT);
});

test("asks Neon's API how the owner logs in, for the resolved branch", async () => {
  const connectionUri = jest.fn<Promise<string>, unknown[]>(() => Promise.reject(new Error("asked")));
  const neon = { connectionUri } as unknown as NeonApi;
  const run = newRun({ neon: () => neon, resolve: () => Promise.resolve(MEANT) });
  await expect(run.sql(TARGET, () => Promise.resolve())).rejects.toThrow("asked");
  const { projectId, branchId, endpointId } = MEANT;
  expect(connectionUri).toHaveBeenCalledWith({
    projectId,
    branchId,
    endpointId,
    database: "neondb",
    role: "neondb_owner",
  });
});
