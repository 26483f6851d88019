import {
  createRecordSql,
  insertRecordSql,
  RECORD,
  recordAsJsonSql,
  recordedTablesSql,
  recordFromJsonSql,
  recordSql,
} from "../../../provider/postgres/sql/recordTable";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";

const SCHEMA = 'Odd "schema"';

let db: TestDatabase;

beforeAll(async () => {
  db = await testDatabase();
  await runSql(db.ownerUri, `CREATE SCHEMA "Odd ""schema"""; CREATE TABLE orders (id int PRIMARY KEY)`);
  await runSql(db.ownerUri, createRecordSql(SCHEMA));
});
afterAll(() => db.close());

test("writes a row that travels as jsonb, and finds its table again", async () => {
  const json = recordAsJsonSql({
    relid: "'orders'::regclass::oid::int8",
    previous: `'i'::"char"`,
    index: "'by_id'",
  });
  await runSql(db.ownerUri, insertRecordSql(SCHEMA, `SELECT b.* FROM ${recordFromJsonSql(json, "b")}`));
  const rows = await runSql(
    db.ownerUri,
    `SELECT c.relname, r.${RECORD.previous} AS previous, r.${RECORD.index} AS index FROM ${recordedTablesSql(SCHEMA)}`,
  );
  expect(rows).toEqual([{ relname: "orders", previous: "i", index: "by_id" }]);
  await runSql(db.ownerUri, "DROP TABLE orders");
  expect(await runSql(db.ownerUri, `SELECT FROM ${recordedTablesSql(SCHEMA)}`)).toEqual([]);
  expect(await runSql(db.ownerUri, `SELECT FROM ${recordSql(SCHEMA)}`)).toHaveLength(1);
});
