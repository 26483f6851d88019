import type { Row, Write } from "./changes";
import { withClient } from "./client";
import { verifying } from "./nextDay";
import { Recorder, type Table } from "./recorder";

const CUSTOMERS: Table = ["public", "customers"];
const CUSTOMER_NOTES: Table = ["public", "Customer Notes"];
const DESCRIPTIONS: Table = ["public", "product_descriptions"];
const EVENTS: Table = ["public", "events"];
const ORDERS: Table = ["public", "orders"];
const ORDER_ITEMS: Table = ["public", "order_items"];
const STOCK_IMPORTS: Table = ["public", "stock_imports"];
const INVOICES: Table = ["billing", "invoices"];

/** The schemas of the sample that the stack tracks. */
export const TRACKED_SCHEMAS = ["public", "billing"];
/** A table that the stack excludes. The application writes to it, and nothing of it may be captured. */
export const EXCLUDED_TABLE = "public.sessions";

/**
 * A day in the shop of the sample schema: a new customer orders and pays, the warehouse imports its stock, somebody
 * takes a note. It writes to every kind of table, as the owner and through the front door, and ends with a logical
 * message whose content is `lastWord`.
 *
 * @returns the changes that a consumer must have captured when that message arrives
 */
export async function runApplication(options: {
  readonly uri: string;
  readonly sslRootCert: string;
  readonly lastWord: string;
}): Promise<readonly Write[]> {
  const { uri, sslRootCert, lastWord } = options;
  const connectionString = verifying({ ownerUri: uri, sslRootCert });
  return await withClient({ connectionString, application_name: "shop" }, async (client) => {
    const app = new Recorder(client);
    await app.withContext({ user: "ada@lovelace.example", endpoint: "POST /orders" }, () => order(app));
    await warehouse(app);
    await support(app);
    // The excluded table: this row must not be captured.
    await client.query(
      `INSERT INTO public.sessions (token, data, expires_at) VALUES (pg_catalog.gen_random_uuid(), '{}', pg_catalog.now())`,
    );
    await client.query("SELECT pg_catalog.pg_logical_emit_message(true, 'shop', $1)", [lastWord]);
    return app.writes;
  });
}

/** Writes to ordinary tables in two schemas. One of the tables has a generated column. */
async function order(app: Recorder): Promise<void> {
  const customer = await app.insert(CUSTOMERS, {
    email: "ada@lovelace.example",
    full_name: "Ada Lovelace",
    country: "GB",
  });
  const placed = await app.insert(ORDERS, {
    customer_id: value(customer, "id"),
    status: "placed",
    placed_at: "2026-02-14 09:30:00+00",
  });
  const id = value(placed, "id");
  await app.insert(ORDER_ITEMS, { order_id: id, line: 1, product_id: 8, quantity: 2, unit_price: "60.90" });
  await app.insert(ORDER_ITEMS, { order_id: id, line: 2, product_id: 9, quantity: 1, unit_price: "67.90" });
  await app.remove(ORDER_ITEMS, { order_id: id, line: 2 });
  await app.update(ORDERS, { id }, { status: "paid", note: "Leave it with Charles." });
  await app.insert(INVOICES, {
    order_id: id,
    number: "2026-999999",
    issued_on: "2026-02-14",
    amount: "121.80",
  });
}

/** Writes to a table without a primary key, and updates a row without touching its long text, stored out of line. */
async function warehouse(app: Recorder): Promise<void> {
  const line = { file: "stock-2026-04.csv", sku: "SKU-00008" };
  await app.insert(STOCK_IMPORTS, { ...line, quantity: 104, imported_at: "2026-04-01 03:00:00+00" });
  await app.update(STOCK_IMPORTS, line, { quantity: 102 });
  await app.remove(STOCK_IMPORTS, line);
  await app.update(DESCRIPTIONS, { product_id: 8 }, { language: "fr" });
}

/** Writes to a partition, and to a table with a mixed-case name. */
async function support(app: Recorder): Promise<void> {
  const event = await app.insert(EVENTS, {
    occurred_at: "2026-02-14 10:00:00+00",
    customer_id: 1,
    name: "complaint",
    details: '{"order": 7}',
  });
  const id = value(event, "id");
  await app.update(EVENTS, { id }, { name: "settled" });
  await app.remove(EVENTS, { id });
  const note = await app.insert(CUSTOMER_NOTES, { CustomerId: 1, Author: "support", Text: "Called." });
  await app.update(CUSTOMER_NOTES, { Id: value(note, "Id") }, { Text: "Called, all solved." });
}

function value(row: Row, column: string): string {
  const found = row[column];
  if (found == null) throw new Error(`The new row has no ${column}.`);
  return found;
}
