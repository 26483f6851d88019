import { escapeIdentifier, type Client, type QueryResult } from "pg";
import type { Row, Write } from "./changes";
import { CONTEXT_PREFIX } from "./consumer";

/** A table by its schema and its name, unquoted. */
export type Table = readonly [schema: string, name: string];

/** Values to write, by the names of their columns. */
type Values = Readonly<Record<string, string | number | boolean | null>>;

/**
 * Writes rows like an application and records each write: the whole row before and after, read back from the database
 * in the same session. Values are kept as the server's text, so that nothing is rounded.
 */
export class Recorder {
  readonly writes: Write[] = [];
  private context: string | undefined;
  private readonly columns = new Map<string, readonly string[]>();

  constructor(private readonly client: Client) {}

  /**
   * Does the work in one transaction, with a context as Bemi's ORM packages send it: who did this, and how.
   *
   * @param context becomes JSON
   */
  async withContext(context: Readonly<Record<string, string>>, work: () => Promise<void>): Promise<void> {
    const message = JSON.stringify(context);
    await this.client.query("BEGIN");
    await this.client.query("SELECT pg_catalog.pg_logical_emit_message(true, $1, $2)", [
      CONTEXT_PREFIX,
      message,
    ]);
    this.context = message;
    await work();
    this.context = undefined;
    await this.client.query("COMMIT");
  }

  /** Inserts one row. Returns the whole row, including the values that came from defaults. */
  async insert(table: Table, values: Values): Promise<Row> {
    const names = Object.keys(values).map(escapeIdentifier).join(", ");
    const places = Object.keys(values).map((_, index) => `$${index + 1}`);
    const after = await this.one(
      `INSERT INTO ${quoted(table)} AS t (${names}) VALUES (${places.join(", ")}) RETURNING ${await this.row(table)}`,
      Object.values(values),
    );
    this.note({ operation: "Create", table: after.table, before: undefined, after: after.row });
    return after.row;
  }

  /** Updates the only row that has the values of `where`. */
  async update(table: Table, where: Values, values: Values): Promise<void> {
    const before = await this.read(table, where);
    const set = Object.keys(values).map((column, index) => `${escapeIdentifier(column)} = $${index + 1}`);
    const after = await this.one(
      `UPDATE ${quoted(table)} AS t SET ${set.join(", ")} WHERE ${condition(where, set.length)} RETURNING ${await this.row(table)}`,
      [...Object.values(values), ...Object.values(where)],
    );
    this.note({ operation: "Update", table: after.table, before: before.row, after: after.row });
  }

  /** Deletes the only row that has the values of `where`. */
  async remove(table: Table, where: Values): Promise<void> {
    const before = await this.one(
      `DELETE FROM ${quoted(table)} AS t WHERE ${condition(where, 0)} RETURNING ${await this.row(table)}`,
      Object.values(where),
    );
    this.note({ operation: "Delete", table: before.table, before: before.row, after: undefined });
  }

  private note(write: Write): void {
    this.writes.push(this.context === undefined ? write : { ...write, context: this.context });
  }

  private async read(table: Table, where: Values): Promise<Stored> {
    return await this.one(
      `SELECT ${await this.row(table)} FROM ${quoted(table)} AS t WHERE ${condition(where, 0)}`,
      Object.values(where),
    );
  }

  /**
   * A select list of the table or partition that holds the row, and the row's columns. Generated columns are left out,
   * because no stream carries them before PostgreSQL 18.
   */
  private async row(table: Table): Promise<string> {
    const name = quoted(table);
    let columns = this.columns.get(name);
    if (columns === undefined) {
      const { rows } = await this.client.query<{ attname: string }>(
        `SELECT attname FROM pg_catalog.pg_attribute
         WHERE attrelid = $1::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
        [name],
      );
      columns = rows.map(({ attname }) => `t.${escapeIdentifier(attname)}`);
      this.columns.set(name, columns);
    }
    return `(SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = t.tableoid), ${columns.join(", ")}`;
  }

  private async one(text: string, values: unknown[]): Promise<Stored> {
    const result: QueryResult<(string | null)[]> = await this.client.query({
      text,
      values,
      rowMode: "array",
      types: { getTypeParser: () => String },
    });
    const [found] = result.rows;
    if (found === undefined || result.rows.length !== 1) {
      throw new Error(`The statement should return one row, but returned ${result.rows.length}: ${text}`);
    }
    const [table, ...cells] = found;
    const row = Object.fromEntries(cells.map((cell, index) => [result.fields[index + 1]?.name ?? "", cell]));
    return { table: table ?? "", row };
  }
}

interface Stored {
  /** `schema.table` of the table or partition that holds the row. */
  readonly table: string;
  readonly row: Row;
}

function quoted([schema, name]: Table): string {
  return `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;
}

/** `column = $n` for each column. The numbers of the parameters begin after `taken`. */
function condition(where: Values, taken: number): string {
  return Object.keys(where)
    .map((column, index) => `t.${escapeIdentifier(column)} = $${taken + index + 1}`)
    .join(" AND ");
}
