import type { ApiRoleInputs } from "../../../provider/contract/kinds/apiRole";
import { describeSteps, planCreate, planDelete, planUpdate } from "../../../provider/neon/apiRole/plan";

const inputs: ApiRoleInputs = { projectId: "p", database: "d", name: "bemi", adopt: false };
const existing = { name: "bemi", hasPassword: true };

test("creates a role that does not exist", () => {
  expect(planCreate(inputs, undefined, "main")).toEqual([{ step: "create role", role: "bemi" }]);
});

test("refuses an existing role and says how to adopt it", () => {
  expect(() => planCreate(inputs, existing, "main")).toThrow(
    /^Role bemi on branch main of project p exists already: set adopt: true .* or choose another name\.$/,
  );
});

test("reveals the password of a role that it adopts", () => {
  expect(planCreate({ ...inputs, adopt: true }, existing, "main")).toEqual([
    { step: "reveal password", role: "bemi" },
  ]);
});

test("gives a role that it adopts a new password where asked to, and says so", () => {
  const steps = planCreate({ ...inputs, adopt: true, renewPassword: true }, existing, "pr-7");
  expect(steps.map(({ step }) => step)).toEqual(["reveal password", "reset password"]);
  expect(describeSteps(steps, "pr-7", false)).toEqual([
    "Role bemi exists already and is taken over; it stays on destroy.",
    expect.stringMatching(/^Role bemi gets a new password, which drops the connections of branch pr-7 once/),
  ]);
});

test("refuses to adopt a role without a password", () => {
  const group = { name: "bemi", hasPassword: false };
  expect(() => planCreate({ ...inputs, adopt: true }, group, "main")).toThrow(/no password to log in with/);
});

test("resets the password when passwordVersion changes, and only then", () => {
  const state = { ...inputs, passwordVersion: 1, password: "secret99" };
  expect(planUpdate(state, { ...inputs, passwordVersion: 1 })).toEqual([]);
  expect(planUpdate(state, { ...inputs, passwordVersion: 2 })).toEqual([
    { step: "reset password", role: "bemi" },
  ]);
});

test("takes over a password that somebody has set, and says so unless it sets another one", () => {
  const state = { ...inputs, passwordVersion: 1, password: "secret99" };
  const take = { step: "take over password", role: "bemi" } as const;
  expect(planUpdate(state, { ...inputs, passwordVersion: 1 }, true)).toEqual([take]);
  expect(describeSteps([take], "main", true)).toEqual([
    expect.stringMatching(/^The stack takes over the password that role bemi has got in Neon/),
  ]);
  const steps = planUpdate(state, { ...inputs, passwordVersion: 2 }, true);
  expect(steps.map(({ step }) => step)).toEqual(["take over password", "reset password"]);
  expect(describeSteps(steps, "main", true)).toEqual([expect.stringMatching(/gets a new password/)]);
});

test("reveals a password that an interrupted creation left unknown", () => {
  expect(planUpdate(inputs, inputs)).toEqual([{ step: "reveal password", role: "bemi" }]);
  expect(planUpdate(inputs, { ...inputs, passwordVersion: 2 })).toEqual([
    { step: "reveal password", role: "bemi" },
    { step: "reset password", role: "bemi" },
  ]);
});

test("has no password in any step", () => {
  const state = { ...inputs, passwordVersion: 1, password: "secret99", created: true };
  const steps = [...planUpdate(state, { ...inputs, passwordVersion: 2 }), ...planDelete(state)];
  expect(JSON.stringify(steps)).not.toContain("secret99");
});

test("deletes a role that it created, and no other", () => {
  expect(planDelete({ ...inputs, created: true })).toEqual([{ step: "delete role", role: "bemi" }]);
  expect(planDelete({ ...inputs, created: false })).toEqual([]);
  expect(planDelete(inputs)).toEqual([]);
});
