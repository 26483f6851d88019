import type { ReplicationRoleInputs } from "../../../provider/contract/kinds/replicationRole";
import { replicationRole } from "../../../provider/postgres/role/replicationRole";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun, type TestRun } from "../../support/run";

describe.each([14, 15] as const)("PostgreSQL %i", (version) => {
  let db: TestDatabase;
  let run: TestRun;

  beforeAll(async () => {
    db = await testDatabase({ version });
  });

  beforeEach(() => {
    run = testRun(db);
  });

  afterEach(() => run.end());

  afterAll(() => db.close());

  test("refuses to make the role and says to use ApiRole", async () => {
    await expect(replicationRole.create(inputs("bemi", false), run)).rejects.toThrow(
      /before PostgreSQL 16 only a superuser.*Use ApiRole, or role.createdBy: "api" of BemiAuditTrail/,
    );
    expect(await runSql(db.superuserUri, "SELECT 1 FROM pg_roles WHERE rolname = 'bemi'")).toEqual([]);
  });

  test("refuses to take over a role and says to use ApiRole", async () => {
    await runSql(db.superuserUri, "CREATE ROLE given LOGIN REPLICATION");
    await expect(replicationRole.plan(inputs("given", true), run)).rejects.toThrow(
      /Role "given" cannot be changed by neondb_owner/,
    );
    await expect(replicationRole.create(inputs("given", true), run)).rejects.toThrow(
      /Role "given" cannot be changed by neondb_owner.*use ApiRole, or role.createdBy: "api" of BemiAuditTrail/,
    );
  });
});

function inputs(name: string, adopt: boolean): ReplicationRoleInputs {
  return { ...TARGET, name, adopt, managedBy: "shop/dev/orders" };
}
