import { MADE, SHELF } from "./fakeKind";
import { plain, provider, secretly, secretsOf, URN } from "./harness";

const STATE = { ...SHELF, ...MADE, password: secretly(MADE.password) };
const ID = "cool-darkness-123456/novels";

describe("a refresh", () => {
  test("reads the state without its drift, and puts what has drifted now into the outputs", async () => {
    const { ask, kind } = await provider();
    kind.read.mockResolvedValue({ outputs: { ...MADE, count: 2 }, drift: { notPublished: "public.b" } });
    const answer = await ask.read(ID, { ...STATE, notTracked: "public.a" }, SHELF);
    expect(kind.read.mock.calls.map(([state]) => state)).toEqual([{ ...SHELF, ...MADE }]);
    expect([answer.getId(), answer.getRefreshBeforeUpdate()]).toEqual([ID, true]);
    expect(plain(answer.getInputs())).toEqual(SHELF);
    expect(plain(answer.getProperties())).toEqual({ ...SHELF, ...MADE, count: 2, notPublished: "public.b" });
    expect(secretsOf(answer.getProperties())).toEqual(["password"]);
  });

  test("keeps secret inputs secret, and outputs that repeat one", async () => {
    const { ask, kind } = await provider();
    kind.read.mockResolvedValue({ outputs: { ...MADE, username: "reader of novels" } });
    const inputs = { ...SHELF, name: secretly(SHELF.name) };
    const answer = await ask.read(ID, STATE, inputs);
    expect(secretsOf(answer.getInputs())).toEqual(["name"]);
    expect(secretsOf(answer.getProperties())).toEqual(["name", "password", "username"]);
  });

  test("names a branch, a database and a compute that are called otherwise now", async () => {
    const { ask, kind } = await provider();
    const now = { ...MADE, branchName: "prod", endpointId: "ep-new" };
    kind.read.mockResolvedValue({ outputs: now });
    const answer = await ask.read(ID, { ...STATE, branch: "main" }, { ...SHELF, branch: "main" });
    expect(plain(answer.getProperties())).toMatchObject({
      branchRenamed: '"main" is "prod" now',
      computeReplaced: `"${MADE.endpointId}" is "ep-new" now`,
    });
    kind.read.mockResolvedValue({ outputs: { ...MADE, branchId: "br-restored", endpointId: "ep-new" } });
    const restored = await ask.read(ID, { ...STATE, branch: "main" }, { ...SHELF, branch: "main" });
    expect(plain(restored.getProperties())).not.toHaveProperty("computeReplaced");
  });

  test.each([
    [{ branchId: 7 }, /branchId does not fit/],
    [{ name: "POEMS" }, /name must be lower-case letters/],
    [{ name: "poems" }, /name of its outputs is not that of its inputs/],
    [{ generation: "many" }, /generation must be a number/],
  ])("refuses a state with %j, and names the resource", async (edit, why) => {
    const { ask, kind } = await provider();
    const error: unknown = await ask
      .read(ID, { ...STATE, ...edit }, SHELF)
      .catch((reason: unknown) => reason);
    expect(String(error)).toMatch(why);
    expect(String(error)).toContain(`The state of ${URN} cannot be used`);
    expect(kind.read).not.toHaveBeenCalled();
  });

  test("refuses a state whose id is that of another object", async () => {
    const { ask, kind } = await provider();
    const error: unknown = await ask
      .delete("cool-darkness-123456/poems", STATE)
      .catch((reason: unknown) => reason);
    expect(String(error)).toMatch(/its id "cool-darkness-123456\/poems" is that of another object/);
    expect(kind.delete).not.toHaveBeenCalled();
  });

  test("remembers that the last run did not finish", async () => {
    const { ask } = await provider();
    const answer = await ask.read(ID, { ...STATE, unfinished: "The shelf stands askew." }, SHELF);
    expect(plain(answer.getProperties())).toMatchObject({ unfinished: "The shelf stands askew." });
  });

  test("of an object that is gone answers without an id", async () => {
    const { ask, kind } = await provider();
    kind.read.mockResolvedValue(undefined);
    const answer = await ask.read(ID, STATE, SHELF);
    expect([answer.getId(), answer.hasProperties()]).toEqual(["", false]);
  });
});

describe("an import", () => {
  test("finds the object by the id, and answers with complete inputs and outputs", async () => {
    const { ask, kind } = await provider();
    const answer = await ask.read("cool-darkness-123456/main/neondb/novels", {}, {});
    expect(kind.find?.mock.calls.map(([id]) => id)).toEqual(["cool-darkness-123456/main/neondb/novels"]);
    expect(kind.read.mock.calls.map(([state]) => state)).toEqual([{ ...SHELF, branchId: MADE.branchId }]);
    expect([answer.getId(), answer.getRefreshBeforeUpdate()]).toEqual([ID, true]);
    expect(plain(answer.getInputs())).toEqual(SHELF);
    expect(plain(answer.getProperties())).toEqual({ ...SHELF, ...MADE });
    expect(secretsOf(answer.getProperties())).toEqual(["password"]);
  });

  test("leaves drift to the next preview, because the engine refuses to import what differs", async () => {
    const { ask, kind } = await provider();
    kind.read.mockResolvedValue({ outputs: MADE, drift: { notPublished: "public.b" } });
    expect(plain((await ask.read("id", {}, {})).getProperties())).not.toHaveProperty("notPublished");
  });

  test("of an object that does not exist answers without an id", async () => {
    const { ask, kind } = await provider();
    kind.find?.mockResolvedValue(undefined);
    expect((await ask.read("id", {}, {})).getId()).toBe("");
  });

  test("of a kind that cannot be imported says what to do instead", async () => {
    const { ask, kind } = await provider();
    delete kind.find;
    await expect(ask.read("id", {}, {})).rejects.toMatchObject({
      details:
        "neon-bemi:index:Shelf cannot be imported. Declare it in the program: up looks at the database and takes in what exists.",
    });
  });
});
