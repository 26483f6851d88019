import type { BranchInputs } from "../../../provider/contract/kinds/branch";
import type { NeonBranch } from "../../../provider/contract/neonApi";
import {
  describeSteps,
  obstacleToDelete,
  parentOf,
  planCreate,
  planUpdate,
  type BranchState,
} from "../../../provider/neon/branch/plan";

const INPUTS: BranchInputs = {
  projectId: "cool-darkness-123456",
  name: "pr-7",
  schemaOnly: false,
  managedBy: "shop/pr-7/preview",
};
const STATE: BranchState = {
  ...INPUTS,
  branchId: "br-pr-7",
  ownershipId: "id-1",
  createdAt: "2026-11-27T01:00:00Z",
};
const OWN = { "pulumi-neon-bemi": "shop/pr-7/preview", "pulumi-neon-bemi-id": "id-1" };
const MAIN = branch("main", { isDefault: true });

function branch(name: string, changes: Partial<NeonBranch> = {}): NeonBranch {
  return { id: `br-${name}`, name, isDefault: false, isProtected: false, annotation: {}, ...changes };
}

describe("the parent", () => {
  const branches = [branch("dev"), MAIN, branch("twin"), branch("twin", { id: "br-other" })];

  test.each([
    [undefined, "br-main"],
    ["dev", "br-dev"],
    ["br-dev", "br-dev"],
    ["br-other", "br-other"],
  ])("%s is %s", (parent, id) => {
    expect(parentOf({ ...INPUTS, parent }, branches).id).toBe(id);
  });

  test.each([
    ["prod", /no branch "prod" to copy\. Its branches: dev, main, .* Correct parent\.$/],
    ["twin", /several branches "twin" \(br-twin, br-other\): give parent as an id\.$/],
  ])("%s is refused", (parent, message) => {
    expect(() => parentOf({ ...INPUTS, parent }, branches)).toThrow(message);
  });
});

describe("a create", () => {
  test("makes the branch from its parent, and says so", () => {
    const steps = planCreate(INPUTS, { branches: [MAIN], branchesLimit: 2 });
    expect(steps).toEqual([{ step: "create branch", parent: MAIN }]);
    expect(describeSteps(INPUTS, steps)).toEqual([
      "Branch pr-7 of project cool-darkness-123456 is made from main (br-main), with all data, and with a read-write compute; destroy deletes it.",
    ]);
    expect(describeSteps({ ...INPUTS, schemaOnly: true, expiresInHours: 24 }, steps)).toEqual([
      expect.stringMatching(/with the schema only, without rows, .*; Neon deletes it after 24 h\.$/),
    ]);
  });

  test.each([
    ["nobody's", {}, /exists already, and was not made by this resource\. It is not taken over/],
    [
      "another stack's",
      { "pulumi-neon-bemi": "shop/pr-8/preview", "pulumi-neon-bemi-id": "id-8" },
      /exists already, and was made by shop\/pr-8\/preview\./,
    ],
  ])("refuses the name of %s branch", (_whose, annotation, message) => {
    const facts = { branches: [MAIN, branch("pr-7", { annotation })] };
    expect(() => planCreate(INPUTS, facts)).toThrow(message);
  });

  test("takes over what an interrupted up of the same resource has left", () => {
    const left = branch("pr-7", { annotation: OWN });
    const steps = planCreate(INPUTS, { branches: [MAIN, left], branchesLimit: 2 });
    expect(steps).toEqual([{ step: "take over branch", branch: left }]);
    expect(describeSteps(INPUTS, steps)).toEqual([expect.stringMatching(/is taken over: an up that was/)]);
  });

  test("does not count the branch that it replaces, neither for the name nor for the limit", () => {
    const facts = { branches: [MAIN, branch("pr-7", { annotation: OWN })], branchesLimit: 2 };
    expect(planCreate(INPUTS, facts, "br-pr-7")).toEqual([{ step: "create branch", parent: MAIN }]);
  });

  test("refuses one branch more than the project may have", () => {
    const facts = { branches: [MAIN, branch("dev")], branchesLimit: 2 };
    expect(() => planCreate(INPUTS, facts)).toThrow(/has 2 branches, and may have 2\. Delete a branch/);
  });
});

test("an update gives the branch its name back, and sets another expiry", () => {
  const renamed = branch("mine", { id: "br-pr-7" });
  expect(planUpdate(STATE, INPUTS, branch("pr-7"))).toEqual([]);
  const steps = planUpdate(STATE, { ...INPUTS, expiresInHours: 2 }, renamed);
  expect(describeSteps(INPUTS, steps)).toEqual([
    "Branch mine gets back its name pr-7.",
    "Neon deletes branch pr-7 2 hours from now.",
  ]);
  const kept = planUpdate({ ...STATE, expiresInHours: 2 }, INPUTS, branch("pr-7"));
  expect(describeSteps(INPUTS, kept)).toEqual(["Branch pr-7 does not expire any more."]);
});

describe("a destroy", () => {
  const own = branch("pr-7", { annotation: OWN });

  test("deletes a branch with the state's mark", () => {
    expect(obstacleToDelete(STATE, own, [MAIN, own])).toBeUndefined();
  });

  test("deletes a branch without any mark only if Neon made it at the time in the state", () => {
    const { createdAt = "" } = STATE;
    const bare = branch("pr-7", { createdAt });
    expect(obstacleToDelete(STATE, bare, [MAIN, bare])).toBeUndefined();
    const later = { ...bare, createdAt: "2026-11-27T02:00:00Z" };
    expect(obstacleToDelete(STATE, later, [MAIN, later])).toMatch(/does not carry this resource's mark/);
    const untimed = branch("pr-7");
    expect(obstacleToDelete({ ...STATE, createdAt: undefined }, untimed, [MAIN, untimed])).toMatch(/mark/);
  });

  test.each([
    [
      "of another resource",
      { annotation: { ...OWN, "pulumi-neon-bemi-id": "id-2" } },
      /this resource's mark/,
    ],
    ["that is the default one now", { isDefault: true }, /the project's default branch now/],
    ["that somebody protected", { isProtected: true }, /somebody has protected it/],
  ])("refuses a branch %s", (_what, changes, message) => {
    const found = { ...own, ...changes };
    expect(obstacleToDelete(STATE, found, [MAIN, found])).toMatch(message);
  });

  test("deletes a branch that somebody renamed, or after a rename of the stack, but not after both", () => {
    const renamed = { ...own, name: "mine" };
    const moved = { ...STATE, managedBy: "shop/other/preview" };
    expect(obstacleToDelete(STATE, renamed, [MAIN, renamed])).toBeUndefined();
    expect(obstacleToDelete(moved, own, [MAIN, own])).toBeUndefined();
    expect(obstacleToDelete(moved, renamed, [MAIN, renamed])).toMatch(/this resource's mark/);
  });

  test("refuses a branch from which others were made, and names them", () => {
    const child = branch("mine", { parentId: own.id });
    expect(obstacleToDelete(STATE, own, [MAIN, own, child])).toMatch(
      /were made from it \(mine\)\. Delete these first/,
    );
  });
});
