import { discrepancies, type Change, type Write } from "../../tools/start/changes";

const created: Write = {
  operation: "Create",
  table: "public.a",
  before: undefined,
  after: { id: "1", name: "x" },
};
const updated: Write = {
  operation: "Update",
  table: "public.a",
  before: { id: "1", name: "x" },
  after: { id: "1", name: null },
};

function captured(write: Write, overrides: Partial<Change> = {}): Change {
  return { time: new Date(0), key: ["id"], ...write, ...overrides };
}

describe("discrepancies", () => {
  it("returns nothing if every write arrived, even with generated columns added", () => {
    const change = captured(updated, { before: { id: "1", name: "x", twice: "xx" } });
    expect(discrepancies([created, updated], [captured(created), change])).toEqual([]);
  });

  it("names a missing change and a change that the application did not make", () => {
    expect(discrepancies([created, updated], [captured(created)])).toEqual([
      "public.a: the application made Create, Update, captured were Create",
    ]);
    expect(discrepancies([], [captured(created, { table: "public.sessions" })])).toEqual([
      "public.sessions: the application made none, captured were Create",
    ]);
  });

  it("names a change without the context of its transaction", () => {
    const told = { ...created, context: '{"user":"ada"}' };
    expect(discrepancies([told], [captured(told)])).toEqual([]);
    expect(discrepancies([told], [captured(created)])).toEqual([
      'Create in public.a has the context (none) instead of {"user":"ada"}',
    ]);
  });

  it("names a missing row, and columns that are missing or altered", () => {
    expect(discrepancies([updated], [captured(updated, { before: undefined })])).toEqual([
      "Update in public.a: the row before is missing",
    ]);
    expect(
      discrepancies([updated], [captured(updated, { before: { id: "1" }, after: { id: "2", name: "" } })]),
    ).toEqual([
      "Update in public.a: the row before lacks or alters name",
      "Update in public.a: the row after lacks or alters id, name",
    ]);
    expect(discrepancies([created], [captured(created, { before: { id: "1" } })])).toEqual([
      "Create in public.a: the row before should not exist",
    ]);
  });

  it("names a wrong operation", () => {
    expect(discrepancies([created], [captured(created, { operation: "Update" })])).toEqual([
      "Create in public.a was captured as Update",
    ]);
  });
});
