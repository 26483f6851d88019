import * as pb from "@pulumi/pulumi/proto/provider_pb";
import { UNKNOWN } from "../../provider/plugin/values";
import { fakeKind, MADE, SHELF, shelfDefinition } from "./fakeKind";
import { provider, secretly, type Asking } from "./harness";

const { DIFF_NONE, DIFF_SOME } = pb.DiffResponse.DiffChanges;
const KINDS = new Map(Object.entries(pb.PropertyDiff.Kind).map(([name, value]) => [value, name]));
const STATE = { ...SHELF, ...MADE };

let ask: Asking;
beforeAll(async () => {
  ({ ask } = await provider());
});

/** The answer in lines: each path with its kind and where the change comes from, then what is replaced. */
async function differences(
  state: object,
  oldInputs: object,
  news: object,
  ignored: readonly string[] = [],
): Promise<string[]> {
  const answer = await ask.diff(state, oldInputs, news, ignored);
  const paths: [string, pb.PropertyDiff][] = [];
  answer.getDetaileddiffMap().forEach((diff, path) => paths.push([path, diff]));
  expect(answer.getHasdetaileddiff()).toBe(true);
  expect(answer.getChanges()).toBe(paths.length === 0 ? DIFF_NONE : DIFF_SOME);
  return [
    ...paths.map(([path, diff]) => {
      const kind = KINDS.get(diff.getKind()) ?? "?";
      return `${path}: ${kind} by the ${diff.getInputdiff() ? "program" : "database"}`;
    }),
    ...answer.getReplacesList().map((key) => `replaces for ${key}`),
  ];
}

test("equal inputs are no change, whatever is secret and whatever the outputs are", async () => {
  expect(await differences(STATE, SHELF, { ...SHELF, name: secretly("novels") })).toEqual([]);
  expect(await differences({ ...STATE, count: 7 }, SHELF, SHELF)).toEqual([]);
});

test("changed inputs are named by their paths", async () => {
  const before = { ...SHELF, books: ["a", "b"], place: { room: "hall" } };
  const after = { ...SHELF, books: ["a", "c", "d"], place: { room: "attic" }, after: ["x"] };
  expect(await differences({ ...before, ...MADE }, before, after)).toEqual([
    "after[0]: ADD by the program",
    "books[1]: UPDATE by the program",
    "books[2]: ADD by the program",
    "place.room: UPDATE by the program",
  ]);
  expect(await differences({ ...before, ...MADE }, before, SHELF)).toEqual([
    "books: DELETE by the program",
    "place: DELETE by the program",
  ]);
});

test("another name or project replaces", async () => {
  const news = { ...SHELF, name: "poems", projectId: "warm-sea-1" };
  expect(await differences(STATE, SHELF, news)).toEqual([
    "name: UPDATE_REPLACE by the program",
    "projectId: UPDATE_REPLACE by the program",
    "replaces for projectId",
    "replaces for name",
  ]);
});

test("a value that is not known yet is a change", async () => {
  expect(await differences(STATE, SHELF, { ...SHELF, after: UNKNOWN })).toEqual([
    "after: UPDATE by the program",
  ]);
});

test.each([
  ["a branch named by its name and by its id", "main", "br-cool-sea-123456"],
  ["the default branch named and left out", "main", undefined],
])("%s is no change", async (_, before, after) => {
  const [old, news] = [before, after].map((branch) => ({
    ...SHELF,
    ...(branch === undefined ? {} : { branch }),
  }));
  expect(await differences({ ...old, ...MADE }, { ...old }, { ...news })).toEqual([]);
  expect(await differences({ ...news, ...MADE }, { ...news }, { ...old })).toEqual([]);
});

test("a renamed database or branch under its new name is no change, once the state has followed it", async () => {
  const followed = { ...STATE, branch: "main", branchName: "prod" };
  expect(await differences(followed, { ...SHELF, branch: "main" }, { ...SHELF, branch: "prod" })).toEqual([]);
  const elsewhere = { ...SHELF, branch: "other" };
  expect(await differences(followed, { ...SHELF, branch: "main" }, elsewhere)).toContain(
    "replaces for branch",
  );
});

test("another branch replaces", async () => {
  expect(await differences(STATE, SHELF, { ...SHELF, branch: "dev" })).toEqual([
    "branch: ADD_REPLACE by the program",
    "replaces for branch",
  ]);
});

test("what has drifted is a change of the database, unless the program ignores it", async () => {
  const drifted = { ...STATE, notPublished: "public.a", passwordChanged: "by somebody" };
  expect(await differences(drifted, SHELF, SHELF)).toEqual([
    "notPublished: DELETE by the database",
    "passwordChanged: DELETE by the database",
  ]);
  expect(await differences(drifted, SHELF, SHELF, ["passwordChanged"])).toEqual([
    "notPublished: DELETE by the database",
  ]);
});

test("a rename of stack, project or component is no change", async () => {
  const before = { ...SHELF, lookAhead: { shelfManagedBy: "shop/production/a" } };
  const after = {
    ...SHELF,
    managedBy: "store/production/books",
    lookAhead: { shelfManagedBy: "store/production/a" },
  };
  expect(await differences({ ...before, ...MADE }, before, after)).toEqual([]);
});

test("a replacement deletes the old object first only where its kind says so, and only for a replacement", async () => {
  const definition = { ...shelfDefinition, deleteBeforeReplace: true as const };
  const single = (await provider({ kinds: [{ ...fakeKind(), definition }] })).ask;
  const other = { ...SHELF, name: "poems" };
  const first = async (asked: Asking, news: object) =>
    (await asked.diff(STATE, SHELF, news)).getDeletebeforereplace();
  expect(await first(single, other)).toBe(true);
  expect(await first(single, { ...SHELF, books: ["a"] })).toBe(false);
  expect(await first(ask, other)).toBe(false);
});
