import fc from "fast-check";
import type { Catalog, RoleFacts, SlotFacts } from "../../../provider/contract/catalog";
import type { ReplicationRoleInputs } from "../../../provider/contract/kinds/replicationRole";
import { encodeMark, type Mark } from "../../../provider/postgres/ownership/mark";
import { applySteps } from "../../../provider/postgres/role/applySteps";
import {
  obstacleToCreate,
  ownershipIdAfter,
  planRemoval,
  planRole,
  type RoleState,
  type RoleStep,
} from "../../../provider/postgres/role/plan";
import { roleMark } from "../../../provider/postgres/role/roleMark";
import { READ_ONLY } from "../../../provider/postgres/role/statement";
import { catalogOf, role } from "../../support/catalog";
import { TARGET } from "../../support/run";

const target = { projectId: TARGET.projectId, branchId: "br-cool-sea-123456" };
const context = { target, leftMembership: false, newId: "00112233445566aa" };
const inputs: ReplicationRoleInputs = { ...TARGET, name: "bemi", adopt: false, managedBy: "shop/dev/orders" };
const comment = encodeMark(roleMark(target, inputs));
const state: RoleState = { ...inputs, created: true, password: "in-the-state-2345" };

function made(facts: Partial<RoleFacts> = {}): Catalog {
  return catalogOf({ roles: [role("bemi", { comment, ...facts })] });
}

describe("the plan of an up", () => {
  test("makes a role that does not exist", () => {
    const made = (id: string): RoleStep[] => [
      { step: "create role", role: "bemi", mark: encodeMark({ ...roleMark(target, inputs), id }) },
    ];
    expect(planRole(catalogOf(), inputs, undefined, context)).toEqual(made(context.newId));
    expect(planRole(catalogOf(), inputs, state, context)).toEqual(made(context.newId));
    expect(planRole(catalogOf(), inputs, { ...state, ownershipId: "of-the-state" }, context)).toEqual(
      made("of-the-state"),
    );
  });

  test("is empty where the role is as it should be", () => {
    expect(planRole(made(), inputs, state, context)).toEqual([]);
  });

  test("sets a password where the state has none, or another version is asked for", () => {
    const steps: RoleStep[] = [{ step: "set password", role: "bemi" }];
    expect(planRole(made(), inputs, undefined, context)).toEqual(steps);
    expect(planRole(made(), { ...inputs, passwordVersion: 2 }, state, context)).toEqual(steps);
  });

  test("restores what differs and nothing else, with a new password in the same step", () => {
    const changed = made({ replication: false, createDb: true, settings: [], memberOf: ["team"] });
    const settings = {
      attributes: ["REPLICATION", "NOCREATEDB"],
      readOnly: true,
      connect: false,
      leave: ["team"],
    };
    expect(planRole(changed, inputs, state, context)).toEqual([
      { step: "alter role", role: "bemi", settings, newPassword: false },
    ]);
    expect(planRole(changed, { ...inputs, passwordVersion: 2 }, state, context)).toEqual([
      { step: "alter role", role: "bemi", settings, newPassword: true },
    ]);
  });

  test("marks the role again after a restore gave the branch a new id", () => {
    const restored = { ...context, target: { ...target, branchId: "br-new-1" } };
    expect(planRole(made(), inputs, state, restored)).toMatchObject([
      { step: "alter role", settings: { mark: encodeMark(roleMark(restored.target, inputs)) } },
    ]);
    expect(() => planRole(made(), inputs, undefined, restored)).toThrow(/came with the branch/);
  });

  test("leaves an adopted role all it has, and ends a membership in it", () => {
    const adopted = catalogOf({
      roles: [role("bemi", { createDb: true, settings: [], memberOf: ["team"] })],
    });
    expect(planRole(adopted, { ...inputs, adopt: true }, undefined, context)).toEqual([
      { step: "set password", role: "bemi" },
    ]);
    const left = { ...context, leftMembership: true };
    expect(planRole(adopted, inputs, { ...state, created: false }, left)).toEqual([
      { step: "revoke membership", role: "bemi" },
    ]);
  });

  test("is empty once it has been applied, and never holds a password", () => {
    const facts: fc.Arbitrary<Partial<RoleFacts>> = fc.record({
      canLogin: fc.boolean(),
      replication: fc.boolean(),
      createDb: fc.boolean(),
      createRole: fc.boolean(),
      bypassRls: fc.boolean(),
      settings: fc.subarray([READ_ONLY, "work_mem=8MB"]),
      memberOf: fc.subarray(["team", "app"]),
      mayConnect: fc.boolean(),
      comment: fc.constantFrom(comment, encodeMark(roleMark({ ...target, branchId: "br-old-1" }, inputs))),
    });
    fc.assert(
      fc.property(facts, fc.boolean(), (start, leftMembership) => {
        const steps = planRole(made(start), inputs, state, { ...context, leftMembership });
        expect(JSON.stringify(steps)).not.toContain(state.password);
        expect(planRole(applySteps(made(start), steps), inputs, state, context)).toEqual([]);
      }),
    );
  });
});

describe("who made a role that has this resource's mark", () => {
  const catalog = (makers: readonly string[], superuser: boolean, version = 170010): Catalog => {
    const { server, ...rest } = made({ oid: 7, makers });
    return { ...rest, server: { ...server, version, currentRoleIsSuperuser: superuser } };
  };

  test.each([
    ["our role", catalog(["neondb_owner"], false)],
    ["our role, and a superuser gave another one ADMIN", catalog(["dba", "neondb_owner"], false)],
    ["our role, which is a superuser", catalog([], true)],
    ["anybody, before PostgreSQL 16", catalog([], true, 150010)],
  ])("%s: it is this resource's", (_, found) => {
    expect(planRole(found, inputs, undefined, context)).toEqual([{ step: "set password", role: "bemi" }]);
    expect(planRemoval(found, state, context)).toHaveLength(2);
  });

  test.each([
    ["another role", catalog(["hostile"], false)],
    ["a superuser", catalog([], false)],
    ["another role, and our role is a superuser", catalog(["hostile"], true)],
  ])("%s: it is not, whatever the mark says", (_, found) => {
    for (const adopt of [false, true])
      expect(() => planRole(found, { ...inputs, adopt }, undefined, context)).toThrow(
        /^Role "bemi" exists already, and was made by (hostile|a superuser), not by neondb_owner, although its comment.*Drop or rename that role/,
      );
    expect(() => planRole(found, inputs, state, context)).toThrow(/although its comment/);
    expect(planRemoval(found, state, context)).toMatchObject([{ step: "keep role" }]);
  });

  test("the recorded oid decides, also after the database got another owner", () => {
    const handedOver = catalog(["former_owner"], false);
    expect(planRole(handedOver, inputs, { ...state, roleOid: 7 }, context)).toEqual([]);
    expect(planRemoval(handedOver, { ...state, roleOid: 7 }, context)).toHaveLength(2);
    const madeAgain = catalog(["neondb_owner"], false);
    expect(() => planRole(madeAgain, inputs, { ...state, roleOid: 8 }, context)).toThrow(
      /although its comment/,
    );
    expect(planRemoval(madeAgain, { ...state, roleOid: 8 }, context)).toMatchObject([{ step: "keep role" }]);
  });

  test("a role that reads a slot of another database stays on destroy", () => {
    const slot: SlotFacts = {
      name: "other",
      plugin: "pgoutput",
      database: "shop",
      active: true,
      activeRole: "bemi",
      walStatus: "reserved",
      temporary: false,
      retainedBytes: 0,
    };
    expect(planRemoval({ ...made(), slots: [slot] }, state, context)).toEqual([
      {
        step: "keep role",
        role: "bemi",
        because: expect.stringMatching(
          /^replication slot other of database shop is read as this role/,
        ) as string,
      },
    ]);
  });

  test("is no superuser where it is adopted", () => {
    const superuser = catalogOf({ roles: [role("bemi", { superuser: true })] });
    expect(() => planRole(superuser, { ...inputs, adopt: true }, undefined, context)).toThrow(
      /is a superuser and is not taken over/,
    );
  });
});

describe("whose a role is", () => {
  const OWN = "0123456789abcdef";
  const marked = (facts: Partial<Mark>) =>
    made({ comment: encodeMark({ ...roleMark(target, inputs), id: OWN, ...facts }) });
  const known: RoleState = { ...state, ownershipId: OWN };
  const slots: SlotFacts[] = [
    {
      name: "audit",
      plugin: "pgoutput",
      database: "neondb",
      active: true,
      activeRole: "bemi",
      walStatus: "reserved",
      temporary: false,
      retainedBytes: 0,
    },
  ];

  test("is decided by the id after stack, project and component were renamed, and the mark follows", () => {
    const renamed = { ...inputs, managedBy: "store/production/audit" };
    expect(planRole(marked({}), renamed, known, context)).toMatchObject([
      {
        step: "alter role",
        newPassword: false,
        settings: { attributes: [], mark: encodeMark({ ...roleMark(target, renamed), id: OWN }) },
      },
    ]);
    expect(planRemoval(marked({}), { ...known, managedBy: renamed.managedBy }, context)).toHaveLength(2);
  });

  test("is decided by the id after a restore gave the branch a new one", () => {
    const restored = { ...context, target: { ...target, branchId: "br-new-1" } };
    expect(planRole(marked({}), inputs, known, restored)).toMatchObject([{ step: "alter role" }]);
  });

  test("is somebody else's with the same names and another id, also on destroy", () => {
    const other = marked({ id: "another-id" });
    expect(() => planRole(other, inputs, known, context)).toThrow(/another stack of the same name/);
    expect(planRemoval(other, known, context)).toMatchObject([{ step: "keep role" }]);
  });

  test("continues an interrupted create with the id that it finds", () => {
    const steps = planRole(marked({}), inputs, undefined, context);
    expect(steps).toEqual([{ step: "set password", role: "bemi" }]);
    expect(ownershipIdAfter(steps, marked({}).roles[0])).toBe(OWN);
  });

  test("is another stack of the same name where a consumer uses the role already", () => {
    const used = { ...marked({}), slots };
    expect(() => planRole(used, inputs, undefined, context)).toThrow(
      /^Role "bemi" is in use, through replication slot "audit", by another stack that is also called shop\/dev\/orders/,
    );
    expect(planRole(used, inputs, known, context)).toEqual([]);
  });

  test("adopts no role with the live mark of another trail, and names that trail", () => {
    const theirs = marked({ managedBy: "shop/production/orders", id: "another-id" });
    const adopting = { ...inputs, adopt: true };
    for (const before of [undefined, { ...state, created: false, password: "" }])
      expect(() => planRole(theirs, adopting, before, context)).toThrow(
        /was made by shop\/production\/orders .*not adopted.*destroy that trail first/,
      );
    const copied = marked({ branchId: "br-origin-1", managedBy: "shop/production/orders", id: "another-id" });
    expect(planRole(copied, adopting, undefined, context)).toEqual([{ step: "set password", role: "bemi" }]);
  });

  test("gives an imported role a password, once", () => {
    const byHand = catalogOf({ roles: [role("bemi")] });
    const imported: RoleState = { ...inputs, adopt: true, created: false, password: "" };
    expect(planRole(byHand, imported, imported, context)).toEqual([{ step: "set password", role: "bemi" }]);
    expect(planRole(byHand, imported, { ...imported, password: "in-the-state-2345" }, context)).toEqual([]);
  });
});

describe("the plan of a destroy", () => {
  test("disables the login of a role that this resource made, and drops it", () => {
    expect(planRemoval(made({ oid: 7 }), state, context)).toEqual([
      { step: "disable login", role: "bemi" },
      { step: "drop role", role: "bemi", oid: 7 },
    ]);
    expect(planRemoval(made({ oid: 7, canLogin: false }), state, context)).toEqual([
      { step: "drop role", role: "bemi", oid: 7 },
    ]);
    expect(planRemoval(catalogOf(), state, context)).toEqual([]);
  });

  test("recognises the role in a session to another database, as its own is gone", () => {
    const elsewhere = {
      ...context,
      target: { ...target, database: { name: "other", owner: "neondb_owner" } },
    };
    expect(planRemoval(made(), state, elsewhere)).toHaveLength(2);
  });

  test("keeps an adopted role and one of somebody else, and says why", () => {
    expect(planRemoval(made(), { ...state, created: false }, { target, leftMembership: true })).toEqual([
      { step: "revoke membership", role: "bemi" },
      { step: "keep role", role: "bemi", because: "it existed before" },
    ]);
    expect(planRemoval(catalogOf({ roles: [role("bemi")] }), state, context)).toMatchObject([
      { step: "keep role", because: expect.stringMatching(/does not carry this resource's mark/) as string },
    ]);
  });
});

test("names ApiRole where the server does not let the owner make the role", () => {
  const { server } = catalogOf();
  const weak = catalogOf({ server: { ...server, currentRoleMayReplicate: false } });
  for (const catalog of [catalogOf({ version: 150018 }), weak])
    expect(obstacleToCreate(catalog, "bemi")).toMatch(
      /se ApiRole, or role\.createdBy: "api" of BemiAuditTrail/,
    );
  expect(obstacleToCreate(catalogOf(), "bemi")).toBeUndefined();
});
