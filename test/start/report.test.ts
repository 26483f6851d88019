import type { Change } from "../../tools/start/changes";
import type { Outcome } from "../../tools/start/stack";
import {
  changesTable,
  contexts,
  counts,
  dialog,
  differences,
  notes,
  operation,
  readiness,
} from "../../tools/start/report";

const update: Change = {
  time: new Date("2026-02-14T09:30:05.123Z"),
  operation: "Update",
  table: "public.orders",
  key: ["id"],
  before: { id: "7", status: "placed", note: null, total: "12.50" },
  after: { id: "7", status: "paid", note: "two\nlines", total: "12.50" },
};

describe("the table of changes", () => {
  it("shows the changed columns of an update, and counts the unchanged ones", () => {
    const [first, second, third] = changesTable([update]).split("\n").slice(3);
    expect(first).toMatch(/│ Update +│ public\.orders +│ 7 +│ status: placed +│ status: paid /);
    expect(second).toMatch(/│ note: NULL +│ note: two lines /);
    expect(third).toMatch(/│ \+ 2 unchanged +│ +│$/);
  });

  it("shows the first columns of a create and a delete, and says if there is no key", () => {
    const row = { a: "1", b: "2", c: "3", d: "4", e: "5" };
    const table = changesTable([
      { ...update, operation: "Create", key: [], before: undefined, after: row },
      { ...update, operation: "Delete", key: ["a"], before: row, after: undefined },
    ]);
    const [create, , createEnd, remove, , removeEnd] = table.split("\n").slice(3);
    expect(create).toMatch(/Create +│ public\.orders +│ \(none\) +│ +│ a: 1 /);
    expect(createEnd).toMatch(/│ +│ \+ 3 more /);
    expect(remove).toMatch(/Delete +│ public\.orders +│ 1 +│ b: 2 +│ +│/);
    expect(removeEnd).toMatch(/│ \+ 2 more +│ +│/);
  });

  it("is always 80 characters wide, and shows the length of a long value", () => {
    const lines = changesTable([
      {
        ...update,
        table: "a_schema_with_a_long_name.a_table_with_an_even_longer_name",
        key: ["id", "status", "note", "total"],
        before: { id: "x".repeat(40_000), status: "y".repeat(60) },
        after: undefined,
      },
      { ...update, before: { body: "z".repeat(30_000) }, after: { body: "" } },
    ]).split("\n");
    expect(new Set(lines.map((line) => line.length))).toEqual(new Set([80]));
    expect(lines.join("\n")).toMatch(/body: z+… 30k/);
  });

  it("counts the changes with each context", () => {
    const context = '{"user":"ada"}';
    expect(contexts([update, { ...update, context }, { ...update, context }])).toBe(
      `  2 of them with the application's context ${context}`,
    );
  });

  it("marks a column that the stream did not carry", () => {
    expect(changesTable([{ ...update, key: ["other"] }])).toMatch(/\(missing\)/);
  });
});

describe("the other parts of the report", () => {
  it("lists the fields of Bemi's dialog with a masked password", () => {
    const text = dialog({
      host: "ep-cool-darkness-123456.us-east-2.aws.neon.tech",
      port: 5432,
      database: "neondb",
      username: "bemi",
      environment: "Production",
    });
    for (const label of ["Host", "Port", "Database Name", "Username", "Password", "Environment"])
      expect(text).toMatch(new RegExp(`^  ${label} {2,}\\S`, "m"));
    expect(text).toMatch(/Password +•+ /);
  });

  it("lists every limit of the status", () => {
    const text = readiness({
      ready: true,
      walLevel: "logical",
      serverVersion: "17.5",
      selected: 15,
      published: 14,
      full: 15,
      keyIdentity: 0,
      slotState: "not created yet",
      newTables: "next up",
      degraded: ["public.a: unlogged", "public.b: owned by another role"],
    });
    expect(text).toMatch(/Published +14 of 15 tables/);
    expect(text).toMatch(/Full row before +15 of 15 tables/);
    expect(text.match(/^ {2}Limit/gm)).toHaveLength(2);
  });

  it("lists resources, notes and counts", () => {
    const outcome: Outcome = {
      steps: [
        { operation: "create", type: "Publication", name: "trail-publication", drift: [] },
        { operation: "create", type: "ReplicationSlot", name: "trail-slot", drift: [] },
      ],
      notes: ["All computes restart."],
    };
    expect(operation(outcome).split("\n")).toEqual([
      "    + Publication      trail-publication",
      "    + ReplicationSlot  trail-slot",
      "    · All computes restart.",
    ]);
    expect(notes({ steps: [], notes: [...outcome.notes, "They are back."] }, outcome)).toEqual([
      "    · They are back.",
    ]);
    expect(operation({ ...outcome, notes: [] }).split("\n")).toHaveLength(2);
    expect(
      counts(
        new Map([
          ["comment", 3],
          ["role", 5],
        ]),
      ),
    ).toBe("comment 3 · role 5");
  });

  it("says under a resource what has drifted, in lines that a terminal does not break", () => {
    const many = Array.from({ length: 12 }, (_, index) => `public.table_${index}`).join(", ");
    const drift = ["notPublished: public.orders", `identityNotFull: ${many}`];
    const lines = operation({
      steps: [{ operation: "update", type: "Publication", name: "trail-publication", drift }],
      notes: [],
    }).split("\n");
    expect(lines.slice(0, 3)).toEqual([
      "    ~ Publication  trail-publication",
      "        - notPublished: public.orders",
      expect.stringMatching(/^ {8}- identityNotFull: public\.table_0, /),
    ]);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("marks new, removed and changed objects, and counts those beyond the first few", () => {
    const list = [
      { kind: "role", object: "bemi", after: "login" },
      { kind: "schema", object: "_bemi", before: "owned by app" },
      { kind: "replica identity", object: "public.a", before: "default", after: "full" },
    ];
    expect(differences(list)).toBe(
      "  + role bemi\n  - schema _bemi\n  ~ replica identity public.a: default -> full",
    );
    expect(differences(list, 1)).toBe("  + role bemi\n  and 2 more");
  });
});
