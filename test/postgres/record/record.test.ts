import {
  decodeRecord,
  emptyRecord,
  encodeRecord,
  isEmpty,
  type DatabaseRecord,
  type PreviousIdentity,
} from "../../../provider/postgres/record/record";
import { readRecord, refuseForeignSchema } from "../../../provider/postgres/record/moduleSchema";
import { previousByOid, withOidsOf } from "../../../provider/postgres/record/previous";
import { catalogOf, table } from "../../support/catalog";

const CLAIM = {
  projectId: "cool-darkness-123456",
  branchId: "br-cool-sea-123456",
  database: "neondb",
  managedBy: "shop/production/orders",
  id: "0123456789abcdef",
  publication: "bemi",
  selections: [{ schemas: ["public", "a\nb", "it's \\ $record$"] }],
};
const RECORD: DatabaseRecord = { ...emptyRecord(5), claims: [CLAIM] };

function catalogWith(comment: string | null, owner = "neondb_owner", within = 0) {
  return catalogOf({
    schemas: [{ oid: 9, name: "_bemi", owner, comment }],
    inModuleSchema: Array.from({ length: within }, (_, n) => ({ kind: "table", name: `t${n}`, owner })),
  });
}

test("a record survives its comment, whatever names are in it", () => {
  expect(decodeRecord(encodeRecord(RECORD))).toEqual(RECORD);
  expect(decodeRecord(`${encodeRecord(RECORD)}\n{"pid":1}`)).toEqual(RECORD);
});

test("the first line of the comment is for people, the second is the record", () => {
  const [people, record, ...rest] = encodeRecord(RECORD).split("\n");
  expect(people).toMatch(/^Made by pulumi-neon-bemi; /);
  expect(JSON.parse(record ?? "")).toEqual(RECORD);
  expect(rest).toEqual([]);
});

test.each([
  "",
  "{",
  "[]",
  "null",
  '{"database":1}',
  '{"database":"1","claims":[],"previous":[],"access":[]}',
])("does not read %j as a record, and takes it for nothing else either", (line) => {
  const comment = `${encodeRecord(RECORD).split("\n")[0] ?? ""}\n${line}`;
  expect(decodeRecord(comment)).toBe("unreadable");
  expect(() => readRecord(catalogWith(comment))).toThrow(/comment on schema _bemi is not a record/);
});

test("is empty only when nothing has to be given back", () => {
  expect(isEmpty(emptyRecord(5))).toBe(true);
  expect(isEmpty(RECORD)).toBe(false);
});

test("reads no record from a schema of another owner, whatever its comment says", () => {
  const forged = catalogWith(encodeRecord(RECORD), "mallory");
  expect(readRecord(forged)).toEqual(emptyRecord(5));
  expect(() => {
    refuseForeignSchema(forged);
  }).toThrow(/schema _bemi belongs to mallory, not to neondb_owner.*rename the schema or drop it/);
});

test("refuses a schema of our own that others filled, and not an empty one", () => {
  expect(() => {
    refuseForeignSchema(catalogWith(null, "neondb_owner", 1));
  }).toThrow(/schema _bemi was not made by this module, and is not empty: it holds table t0/);
  refuseForeignSchema(catalogWith(null));
  refuseForeignSchema(catalogWith(encodeRecord(RECORD), "neondb_owner", 1));
});

test("finds tables by oid in the same database, otherwise by name", () => {
  const orders = table("public.orders");
  const moved = table("public.moved");
  const catalog = catalogOf({ tables: [orders, moved] });
  const entry = (oid: number, name: string): PreviousIdentity => ({
    oid,
    schema: "public",
    name,
    identity: "nothing",
  });
  const previous = [entry(moved.oid, "orders"), entry(99, "orders"), entry(98, "dropped")];
  const here = { ...emptyRecord(5), previous };
  expect(previousByOid(here, catalog)).toEqual(
    new Map([
      [orders.oid, entry(99, "orders")],
      [moved.oid, entry(moved.oid, "orders")],
    ]),
  );
  // The oid of `moved` means another table in the database that the record was written in.
  const restored = { ...here, database: 6 };
  expect([...previousByOid(restored, catalog).keys()]).toEqual([orders.oid]);
  expect(withOidsOf(restored, catalog)).toEqual({ ...here, previous: [entry(orders.oid, "orders")] });
});
