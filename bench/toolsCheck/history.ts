/** One migration, in SQL. */
export interface Migration {
  /** Its place in the history, from 1 on. */
  readonly number: number;
  readonly name: string;
  readonly up: string;
  readonly down: string;
}

const numbered = (list: readonly Omit<Migration, "number">[]): Migration[] =>
  list.map((migration, at) => ({ number: at + 1, ...migration }));

/** How many migrations run before there is a trail. */
export const BEFORE = 3;

/** A short history of a small application: tables with and without a key, renames, a rewrite, a copy, a swap. */
export const HISTORY: readonly Migration[] = numbered([
  {
    name: "customers",
    up: "CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL)",
    down: "DROP TABLE customers",
  },
  {
    name: "orders",
    up: "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer bigint REFERENCES customers, note text)",
    down: "DROP TABLE orders",
  },
  {
    name: "orders_total",
    up: "ALTER TABLE orders ADD COLUMN total numeric",
    down: "ALTER TABLE orders DROP COLUMN total",
  },
  {
    name: "invoices",
    up: "CREATE TABLE invoices (id int PRIMARY KEY, amount int)",
    down: "DROP TABLE invoices",
  },
  {
    name: "log_lines",
    up: "CREATE TABLE log_lines (at timestamptz DEFAULT now(), line text)",
    down: "DROP TABLE log_lines",
  },
  {
    name: "customers_full_name",
    up: "ALTER TABLE customers RENAME COLUMN name TO full_name",
    down: "ALTER TABLE customers RENAME COLUMN full_name TO name",
  },
  {
    name: "purchases",
    up: "ALTER TABLE orders RENAME TO purchases",
    down: "ALTER TABLE purchases RENAME TO orders",
  },
  {
    name: "invoices_rewrite",
    up: "ALTER TABLE invoices ALTER COLUMN amount TYPE bigint",
    down: "ALTER TABLE invoices ALTER COLUMN amount TYPE int",
  },
  {
    name: "archive",
    up: "CREATE TABLE archive AS SELECT * FROM customers",
    down: "DROP TABLE archive",
  },
]);

/** The application's own tables at the end of the history. */
export const TABLES = ["archive", "customers", "invoices", "log_lines", "purchases"];

/** What an application then does. None of it may fail. */
export const WRITES = `
  INSERT INTO customers (full_name) VALUES ('a'), ('b');
  INSERT INTO invoices VALUES (1, 1), (2, 2);
  INSERT INTO log_lines (line) VALUES ('a'), ('b');
  INSERT INTO archive SELECT * FROM customers;
  UPDATE customers SET full_name = 'c' WHERE full_name = 'a';
  UPDATE log_lines SET line = 'c' WHERE line = 'a';
  UPDATE archive SET full_name = 'c' WHERE full_name = 'a';
  DELETE FROM log_lines;
  DELETE FROM archive;
  DELETE FROM invoices WHERE id = 1;`;
