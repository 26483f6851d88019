import { UNKNOWN } from "../../provider/plugin/values";
import { SHELF } from "./fakeKind";
import { plain, provider, secretly, secretsOf, URN } from "./harness";

test("fills in defaults at all depths, and the name of the declaring resource", async () => {
  const { ask } = await provider();
  const answer = await ask.check({ projectId: SHELF.projectId, place: {} });
  expect(answer.getFailuresList()).toEqual([]);
  expect(plain(answer.getInputs())).toEqual({
    projectId: SHELF.projectId,
    name: "bemi",
    place: { room: "hall" },
    after: [],
    managedBy: "shop/production/books",
  });
});

test("the name of the declaring resource is that of the URN, whatever the program says", async () => {
  const { ask } = await provider();
  const urn = URN.replace("production", "test");
  const answer = await ask.check({ ...SHELF, managedBy: "somebody else" }, urn);
  expect(plain(answer.getInputs())).toMatchObject({ managedBy: "shop/test/books" });
});

test("reports every mistake once, in a sentence, without the engine's dump of the value", async () => {
  const { ask } = await provider();
  const answer = await ask.check({ name: "No Name", book: ["a"], books: "a" });
  expect(answer.getFailuresList().map((failure) => failure.toObject())).toEqual([
    {
      property: "",
      reason: "projectId is required: the Neon project's id, e.g. cool-darkness-123456",
    },
    { property: "", reason: "name must be lower-case letters" },
    { property: "", reason: "books must be a list of texts" },
    { property: "", reason: "book is not an argument. Did you mean books?" },
  ]);
});

test("lets values pass that are not known yet, and says what is wrong with the others", async () => {
  const { ask } = await provider();
  const answer = await ask.check({ projectId: UNKNOWN, name: UNKNOWN, books: [UNKNOWN], place: 5 });
  expect(answer.getFailuresList().map((failure) => failure.getReason())).toEqual([
    'place must be an object such as {"room":"hall"}',
  ]);
  expect(plain(answer.getInputs())).toMatchObject({ projectId: UNKNOWN, name: UNKNOWN, books: [UNKNOWN] });
});

test("keeps secret inputs secret, at every depth", async () => {
  const { ask } = await provider();
  const answer = await ask.check({ ...SHELF, name: secretly("novels"), place: { room: secretly("attic") } });
  expect(answer.getFailuresList()).toEqual([]);
  expect(plain(answer.getInputs())).toMatchObject({ name: "novels", place: { room: "attic" } });
  expect(secretsOf(answer.getInputs())).toEqual(["name", "place"]);
});

test("an unknown type is refused by name", async () => {
  const { ask } = await provider();
  await expect(ask.check({}, URN.replace("Shelf", "Shelves"))).rejects.toMatchObject({
    details: "The provider neon-bemi has no resource of the type neon-bemi:index:Shelves.",
  });
});
