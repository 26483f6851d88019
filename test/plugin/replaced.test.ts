import * as z from "zod";
import { fakeKind, MADE, SHELF } from "./fakeKind";
import { plain, provider, URN, type Provider } from "./harness";

/*
 * How Pulumi replaces a resource: it reads every resource first, creates the new one, and has the old one deleted at the
 * end, perhaps only in a later run. Here both are the same object.
 */

const ID = "cool-darkness-123456/novels";
const OLD = { ...SHELF, ...MADE };
const NEW = { ...OLD, generation: 1 };

let p: Provider;
beforeEach(async () => {
  p = await provider();
  p.kind.read.mockImplementation(() => Promise.resolve({ outputs: MADE }));
  p.kind.update.mockImplementation(() => Promise.resolve({ ...MADE, count: 4 }));
});

function calls(): Record<string, number> {
  const { create, update, delete: remove } = p.kind;
  return {
    create: create.mock.calls.length,
    update: update.mock.calls.length,
    delete: remove.mock.calls.length,
  };
}

test("a replacement by the same object is an update of it, and the delete of the old one removes nothing", async () => {
  await p.ask.read(ID, OLD, SHELF);
  const made = await p.ask.create({ ...SHELF, books: ["a"] });
  expect(p.kind.update.mock.calls.map(([state, inputs]) => [state, inputs])).toEqual([
    [OLD, { ...SHELF, books: ["a"] }],
  ]);
  expect(plain(made.getProperties())).toMatchObject({ count: 4, generation: 1 });
  await p.ask.delete(ID, OLD);
  expect(calls()).toEqual({ create: 0, update: 1, delete: 0 });
  expect(p.engine.lines.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^The replacement is the same object/),
    "Nothing is removed: the replacement is the same object, and uses it.",
  ]);

  await p.ask.delete(ID, { ...SHELF, books: ["a"], ...MADE, generation: 1 });
  expect(calls()).toEqual({ create: 0, update: 1, delete: 1 });
});

test("the preview of such a replacement plans an update", async () => {
  await p.ask.read(ID, OLD, SHELF);
  await p.ask.create(SHELF, true);
  expect(p.kind.plan.mock.calls.map(([, , state]) => state)).toEqual([OLD]);
  // Only the engine knows whether the old one is deleted first.
  expect(p.engine.lines.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(/^With the option deleteBeforeReplace, the old one is removed first/),
  );
});

test("an old resource that an interrupted run left to be deleted is no reason to remove the object", async () => {
  await p.ask.read(ID, NEW, SHELF);
  await p.ask.read(ID, OLD, SHELF);
  await p.ask.delete(ID, OLD);
  expect(calls()).toMatchObject({ delete: 0 });
  // A destroy deletes both.
  await p.ask.delete(ID, NEW);
  expect(calls()).toMatchObject({ delete: 1 });
});

test("after a replacement that was killed before its end, destroy removes the object", async () => {
  await p.ask.read(ID, OLD, SHELF);
  await p.ask.delete(ID, OLD);
  expect(calls()).toMatchObject({ delete: 1 });
});

test("deleted before its replacement, the object is removed and made again", async () => {
  await p.ask.read(ID, OLD, SHELF);
  await p.ask.delete(ID, OLD);
  await p.ask.create(SHELF);
  expect(calls()).toEqual({ create: 1, update: 0, delete: 1 });
});

test.each([{ name: "poems" }, { projectId: "warm-sea-1" }, { branch: "dev" }])(
  "a replacement by another object (%j) is made, and the old object is removed as one that is replaced",
  async (change) => {
    await p.ask.read(ID, NEW, SHELF);
    const made = await p.ask.create({ ...SHELF, ...change });
    expect(plain(made.getProperties())).toMatchObject({ generation: 2 });
    await p.ask.delete(ID, NEW);
    expect(calls()).toEqual({ create: 1, update: 0, delete: 1 });
    expect(p.kind.delete.mock.calls.map(([, , replaced]) => replaced)).toEqual([true]);
  },
);

test("a branch named in another way is the same object", async () => {
  await p.ask.read(ID, OLD, SHELF);
  await p.ask.create({ ...SHELF, branch: MADE.branchName });
  await p.ask.delete(ID, OLD);
  expect(calls()).toEqual({ create: 0, update: 1, delete: 0 });
});

test("the number of replacements survives a refresh and an update", async () => {
  const read = await p.ask.read(ID, NEW, SHELF);
  expect(plain(read.getProperties())).toMatchObject({ generation: 1 });
  const changed = await p.ask.update(ID, NEW, { ...SHELF, books: ["a"] });
  expect(plain(changed.getProperties())).toMatchObject({ generation: 1 });
});

/** A resource with another name in the program, for the same object. */
const OTHER = URN.replace("::books", "::library");

test("a resource under a new name learns of the old one, and the delete of the old one of the new one", async () => {
  await p.ask.read(ID, OLD, SHELF);
  await p.ask.create(SHELF, true, OTHER);
  await p.ask.create(SHELF, false, OTHER);
  await p.ask.update(ID, OLD, { ...SHELF, books: ["a"] });
  await p.ask.delete(ID, OLD);
  await p.ask.delete(ID, OLD, OTHER);
  expect(p.kind.plan.mock.calls.map(([, , , , others]) => others)).toEqual([[OLD]]);
  expect(p.kind.create.mock.calls.map(([, , , others]) => others)).toEqual([[OLD]]);
  expect(p.kind.update.mock.calls.map(([, , , others]) => others)).toEqual([[OLD]]);
  expect(p.kind.delete.mock.calls.map(([, , , others]) => others)).toEqual([[OLD], []]);
});

test("of two resources for one object that are deleted at once, one finds no other", async () => {
  await p.ask.read(ID, OLD, SHELF);
  await p.ask.read(ID, OLD, SHELF, OTHER);
  p.kind.delete.mockRejectedValueOnce(new Error("not now"));
  await expect(p.ask.delete(ID, OLD)).rejects.toThrow(/not now/);
  await Promise.all([p.ask.delete(ID, OLD), p.ask.delete(ID, OLD, OTHER)]);
  expect(p.kind.delete.mock.calls.map(([, , , others]) => others)).toEqual([[OLD], [OLD], []]);
});

test("another object, and the object of a kind whose mark says whose it is, are shared with nobody", async () => {
  await p.ask.read(ID, OLD, SHELF);
  await p.ask.create({ ...SHELF, name: "poems" }, false, OTHER);
  const kind = fakeKind();
  const { definition } = kind;
  const marked = {
    ...definition,
    outputs: definition.outputs.extend({ ownershipId: z.string().optional() }),
  };
  const withMark = await provider({ kinds: [{ ...kind, definition: marked }] });
  await withMark.ask.read(ID, OLD, SHELF);
  await withMark.ask.create(SHELF, false, OTHER);
  for (const { create } of [p.kind, kind])
    expect(create.mock.calls.map(([, , , others]) => others)).toEqual([[]]);
});
