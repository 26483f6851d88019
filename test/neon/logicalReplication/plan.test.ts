import type { LogicalReplicationInputs } from "../../../provider/contract/kinds/logicalReplication";
import type { NeonProject } from "../../../provider/contract/neonApi";
import { enablingPatch, planLogicalReplication } from "../../../provider/neon/logicalReplication/plan";

const target = { projectId: "p", branch: undefined, database: "d" };
const enable: LogicalReplicationInputs = { projectId: "p", database: "d", mode: "enable" };
const require: LogicalReplicationInputs = { ...enable, mode: "require" };

function project(logicalReplication: boolean): NeonProject {
  const allowedIps = { ips: [], protectedBranchesOnly: false };
  return { id: "p", storePasswords: true, logicalReplication, blockPublicConnections: false, allowedIps };
}

function found(on: boolean, walLevel?: string) {
  return { project: project(on), ...(walLevel === undefined ? {} : { server: { target, walLevel } }) };
}

test("enables a setting that is off, and waits for the server of the database", () => {
  expect(planLogicalReplication(enable, found(false, "replica"))).toEqual([
    { step: "enable logical replication" },
    { step: "wait for wal_level", target, seconds: 180, otherwise: [] },
  ]);
  expect(enablingPatch(project(false))).toEqual({ enable_logical_replication: true });
});

test("enables the setting without a database to ask", () => {
  expect(planLogicalReplication(enable, found(false))).toEqual([{ step: "enable logical replication" }]);
});

test.each([enable, require])("has no steps where the setting is on and confirmed: %j", (inputs) => {
  expect(planLogicalReplication(inputs, found(true, "logical"))).toEqual([]);
  expect(planLogicalReplication(inputs, found(true))).toEqual([]);
  expect(enablingPatch(project(true))).toBeUndefined();
});

test("refuses a setting that is off where it is required only, and says how to enable it", () => {
  expect(() => planLogicalReplication(require, found(false, "replica"))).toThrow(
    /is off in project p, and "require" leaves the project alone.*set "enable" instead/,
  );
});

test("waits for a compute that lags behind the setting, and restarts it otherwise", () => {
  expect(planLogicalReplication(enable, found(true, "replica"))).toEqual([
    {
      step: "wait for wal_level",
      target,
      seconds: 20,
      otherwise: [
        { step: "restart compute", target },
        { step: "wait for wal_level", target, seconds: 180, otherwise: [] },
      ],
    },
  ]);
});

test("only waits for a compute that lags behind where the setting is required", () => {
  expect(planLogicalReplication(require, found(true, "replica"))).toEqual([
    { step: "wait for wal_level", target, seconds: 20, otherwise: [] },
  ]);
});
