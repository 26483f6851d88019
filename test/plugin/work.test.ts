import { ErrorResourceInitFailed } from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import type { ServiceError } from "@grpc/grpc-js";
import { UnfinishedError, UserError } from "../../provider/contract/errors";
import { secret } from "../../provider/contract/secrets";
import { UNKNOWN } from "../../provider/plugin/values";
import { MADE, SHELF } from "./fakeKind";
import { METHODS, plain, provider, secretly, secretsOf, URN } from "./harness";

const STATE = { ...SHELF, ...MADE, password: secretly(MADE.password) };
const ID = "cool-darkness-123456/novels";

/** The error of a call that must fail. */
async function failure(call: Promise<unknown>): Promise<ServiceError> {
  return call.then(
    () => {
      throw new Error("the call did not fail");
    },
    (error: unknown) => error as ServiceError,
  );
}

/** What a partial failure carries for the state. */
function keptOf({ metadata }: ServiceError): ErrorResourceInitFailed {
  const [details] = metadata.get("grpc-status-details-bin");
  const [packed] = Status.deserializeBinary(details as Buffer).getDetailsList();
  const kept = packed?.unpack(
    (bytes) => ErrorResourceInitFailed.deserializeBinary(bytes),
    "pulumirpc.ErrorResourceInitFailed",
  );
  if (kept === null || kept === undefined) throw new Error("no ErrorResourceInitFailed in the error");
  return kept;
}

describe("a preview", () => {
  test("of a create plans, changes nothing, and logs what it plans under the resource", async () => {
    const { ask, kind, engine } = await provider();
    const answer = await ask.create(SHELF, true);
    expect(kind.create).not.toHaveBeenCalled();
    expect(kind.plan.mock.calls.map(([inputs, , state]) => [inputs, state])).toEqual([[SHELF, undefined]]);
    expect(engine.lines).toEqual([
      { urn: URN, message: "3 books are put on the shelf: a, b and c", ephemeral: false },
    ]);
    expect(answer.getRefreshBeforeUpdate()).toBe(true);
    expect(plain(answer.getProperties())).toMatchObject({ ...SHELF, count: 3, username: UNKNOWN });
    expect(secretsOf(answer.getProperties())).toEqual(["password"]);
  });

  test("of an update plans from the state without its drift", async () => {
    const { ask, kind } = await provider();
    const answer = await ask.update(ID, { ...STATE, notPublished: "public.a" }, SHELF, true);
    expect(kind.update).not.toHaveBeenCalled();
    expect(kind.plan.mock.calls[0]?.[2]).toEqual({ ...SHELF, ...MADE });
    expect(plain(answer.getProperties())).not.toHaveProperty("notPublished");
    expect(answer.getRefreshBeforeUpdate()).toBe(true);
  });

  test("with inputs that are not known yet looks at nothing, names them and still warns", async () => {
    const { ask, kind, engine } = await provider();
    const answer = await ask.create({ ...SHELF, projectId: UNKNOWN, books: ["a", UNKNOWN] }, true);
    expect(kind.plan).not.toHaveBeenCalled();
    expect(engine.lines.map(({ message }) => message)).toEqual([
      "Not known yet: projectId, books. So nothing could be looked at for this preview.",
      "This may close the library.",
    ]);
    expect(plain(answer.getProperties())).toMatchObject({ count: UNKNOWN, books: ["a", UNKNOWN] });
  });

  test("with inputs that are not known yet does not warn of what the others exclude", async () => {
    const { ask, engine } = await provider();
    await ask.create({ ...SHELF, name: "silent", projectId: UNKNOWN }, true);
    expect(engine.lines.map(({ message }) => message)).toEqual([
      "Not known yet: projectId. So nothing could be looked at for this preview.",
    ]);
  });

  test("does without triggers and the look ahead while they are not known yet", async () => {
    const { ask, kind } = await provider();
    await ask.create({ ...SHELF, after: [UNKNOWN], lookAhead: { shelfManagedBy: UNKNOWN } }, true);
    expect(kind.plan.mock.calls.map(([inputs]) => inputs)).toEqual([SHELF]);
  });

  test("keeps what is known of triggers", async () => {
    const { ask, kind } = await provider();
    await ask.create({ ...SHELF, after: ["x", UNKNOWN] }, true);
    expect(kind.plan.mock.calls.map(([inputs]) => inputs)).toEqual([{ ...SHELF, after: ["x"] }]);
  });

  test("fails for what an up would fail for", async () => {
    const { ask, kind } = await provider();
    kind.plan.mockRejectedValue(new UserError("There is no shelf."));
    expect((await failure(ask.create(SHELF, true))).details).toBe("There is no shelf.");
  });

  test("an output that the plan leaves undefined is not known yet", async () => {
    const { ask, kind } = await provider();
    kind.plan.mockResolvedValue({ outputs: { count: undefined }, changes: [] });
    expect(plain((await ask.create(SHELF, true)).getProperties())).toMatchObject({ count: UNKNOWN });
  });

  test("looks at nothing when the user says that nothing can be reached", async () => {
    const { ask, kind, engine } = await provider({ offline: true });
    await ask.create(SHELF, true);
    await ask.create(SHELF, true);
    const read = await ask.read(ID, STATE, SHELF);
    expect([kind.plan.mock.calls, kind.read.mock.calls]).toEqual([[], []]);
    expect(plain(read.getProperties())).toEqual({ ...SHELF, ...MADE });
    expect(engine.lines.map(({ message }) => message)).toEqual([
      "Nothing was looked at for this preview, because PULUMI_NEON_BEMI_OFFLINE is set.",
    ]);
  });
});

test("a create answers with the id, the inputs and the outputs, and with the password as a secret", async () => {
  const { ask } = await provider();
  const answer = await ask.create(SHELF);
  expect(answer.getId()).toBe(ID);
  expect(answer.getRefreshBeforeUpdate()).toBe(true);
  expect(plain(answer.getProperties())).toEqual({ ...SHELF, ...MADE });
  expect(secretsOf(answer.getProperties())).toEqual(["password"]);
});

test("an update is given the old state without its drift, and takes the drift away", async () => {
  const { ask, kind } = await provider();
  const news = { ...SHELF, books: ["a"] };
  const answer = await ask.update(ID, { ...STATE, notPublished: "public.a", unfinished: "half" }, news);
  expect(kind.update.mock.calls.map(([state, inputs]) => [state, inputs])).toEqual([
    [{ ...SHELF, ...MADE }, news],
  ]);
  expect(answer.getRefreshBeforeUpdate()).toBe(true);
  expect(plain(answer.getProperties())).toEqual({ ...news, ...MADE });
  expect(secretsOf(answer.getProperties())).toEqual(["password"]);
});

test("outputs that repeat a secret input are secret, under whatever name", async () => {
  const { ask, kind } = await provider();
  kind.create.mockResolvedValue({ ...MADE, username: "read-novelists" });
  const news = { ...SHELF, name: secretly("novel"), books: [secretly("a")] };
  const answer = await ask.create(news);
  expect(secretsOf(answer.getProperties())).toEqual(["books", "name", "password", "username"]);
});

describe("work that ends half-way", () => {
  test.each(["create", "update"] as const)("a %s keeps in the state what was made", async (step) => {
    const { ask, kind } = await provider();
    const error = new UnfinishedError("The shelf stands askew.", MADE);
    kind[step].mockRejectedValue(error);
    const call = step === "create" ? ask.create(SHELF) : ask.update(ID, STATE, SHELF);
    const failed = await failure(call);
    expect(failed.details).toBe("The shelf stands askew.");
    const kept = keptOf(failed);
    expect([kept.getId(), kept.getReasonsList()]).toEqual([ID, ["The shelf stands askew."]]);
    expect(kept.getRefreshBeforeUpdate()).toBe(true);
    expect(plain(kept.getProperties())).toEqual({ ...SHELF, ...MADE, unfinished: "The shelf stands askew." });
    expect(secretsOf(kept.getProperties())).toEqual(["password"]);
  });

  test("secrets stay secret in what is kept, and out of the reason", async () => {
    const { ask, kind } = await provider();
    kind.create.mockRejectedValue(
      new UnfinishedError(`open-sesame-1 does not open ${SHELF.name}`, { ...MADE, username: "of novels" }),
    );
    secret(MADE.password);
    const failed = await failure(ask.create({ ...SHELF, name: secretly(SHELF.name) }));
    expect(failed.details).toBe("[secret] does not open [secret]");
    expect(secretsOf(keptOf(failed).getProperties())).toEqual(["name", "password", "username"]);
    expect(plain(keptOf(failed).getProperties())).toMatchObject({
      unfinished: "[secret] does not open [secret]",
    });
  });
});

test("an error keeps nothing in the state, and shows no registered secret", async () => {
  const { ask, kind } = await provider();
  secret("napkin-secret");
  kind.create.mockRejectedValue(new UserError("The key napkin-secret does not fit."));
  const failed = await failure(ask.create(SHELF));
  expect(failed.details).toBe("The key [secret] does not fit.");
  expect(failed.metadata.get("grpc-status-details-bin")).toEqual([]);
});

test("an error that is no user's asks to be reported, with its stack", async () => {
  const { ask, kind } = await provider();
  kind.create.mockRejectedValue(new TypeError("x is undefined"));
  expect((await failure(ask.create(SHELF))).details).toMatch(
    /^Unexpected error in pulumi-neon-bemi, please report it: TypeError: x is undefined\n +at /,
  );
});

test("log lines and progress reach the resource's row, without registered secrets", async () => {
  const { ask, kind, engine } = await provider();
  kind.create.mockImplementation((_, run) => {
    run.status("sorting");
    run.log(`sorted with ${secret("napkin-secret")}`);
    return Promise.resolve(MADE);
  });
  await ask.create(SHELF);
  expect(engine.lines).toEqual([
    { urn: URN, message: "sorting", ephemeral: true },
    { urn: URN, message: "sorted with [secret]", ephemeral: false },
  ]);
});

/** What a hostile role, branch or server can be called. */
const HOSTILE = "a\u001b[2J\n::add-mask::b\u202e<{%fg 99%}>";
const SHOWN = "a\\u{1b}[2J\\n::add-mask::b\\u{202e}<\\u{7b}%fg 99%}>";

describe("names that a terminal or a CI system would act on are shown by the codes of their characters", () => {
  test("in log lines, progress and the plan of a preview", async () => {
    const { ask, kind, engine } = await provider();
    kind.plan.mockImplementation((_, run) => {
      run.status(HOSTILE);
      run.log(HOSTILE);
      return Promise.resolve({ outputs: {}, changes: [HOSTILE] });
    });
    await ask.create(SHELF, true);
    expect(engine.lines.map(({ message }) => message)).toEqual([SHOWN, SHOWN, SHOWN]);
  });

  test("in errors and faults, which keep the lines of their own, and in what is left unfinished", async () => {
    const { ask, kind } = await provider();
    kind.create.mockRejectedValueOnce(new UserError(["Nothing was changed:", `  - ${HOSTILE}`]));
    expect((await failure(ask.create(SHELF))).details).toBe(`Nothing was changed:\n  - ${SHOWN}`);
    kind.create.mockRejectedValueOnce(new TypeError(`${HOSTILE}\n    at forged`));
    expect((await failure(ask.create(SHELF))).details).toMatch(
      /^Unexpected error in pulumi-neon-bemi, please report it: TypeError: a\\u\{1b\}[^\n]*forged\n +at /,
    );
    kind.create.mockRejectedValueOnce(new UnfinishedError(HOSTILE, MADE));
    const unfinished = await failure(ask.create(SHELF));
    expect(unfinished.details).toBe(SHOWN);
    expect(plain(keptOf(unfinished).getProperties())).toMatchObject({ unfinished: SHOWN });
  });

  test("in what has drifted, while the outputs that the next run works with stay as they are", async () => {
    const { ask, kind } = await provider();
    kind.read.mockResolvedValue({
      outputs: { ...MADE, username: HOSTILE },
      drift: { notPublished: HOSTILE },
    });
    const read = await ask.read(ID, STATE, SHELF);
    expect(plain(read.getProperties())).toMatchObject({ username: HOSTILE, notPublished: SHOWN });
  });

  test("and five megabytes of text are cut", async () => {
    const { ask, kind } = await provider();
    kind.create.mockRejectedValueOnce(new UserError("x".repeat(5_000_000)));
    expect((await failure(ask.create(SHELF))).details).toMatch(
      /^x{4000} \.\.\. \(4996000 more characters\)$/,
    );
  });
});

test("a delete is given the state in plain values, without drift", async () => {
  const { ask, kind } = await provider();
  await ask.delete(ID, { ...STATE, notPublished: "public.a" });
  expect(kind.delete.mock.calls.map(([state]) => state)).toEqual([{ ...SHELF, ...MADE }]);
});

test("after Cancel every checkpoint ends the work, with what the next up does", async () => {
  const { ask, kind } = await provider();
  kind.create.mockImplementation((_, run) => {
    run.checkpoint();
    return Promise.resolve(MADE);
  });
  await ask.create(SHELF);
  await ask.call(METHODS.cancel, new Empty());
  expect((await failure(ask.create({ ...SHELF, name: "poems" }))).details).toBe(
    "Stopped between two steps, because the run was cancelled. The next up continues from here.",
  );
});
