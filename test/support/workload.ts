import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import type { Audit, Audited } from "./audit";

type Values = Readonly<Record<string, string>>;

interface TableOfWorkload {
  /** `schema.table`. */
  readonly name: string;
  /** Values of a new row for the columns besides id, client and token. */
  readonly more?: (id: number) => Values;
  /** The partition that a row is in. Default: the table is not partitioned. */
  readonly leaf?: (row: Values) => string;
}

/** A value that PostgreSQL stores out of line: large, and hard to compress. */
function body(id: number): Values {
  let text = "";
  for (let i = 0, seed = id; text.length < 6_000; i++) {
    seed = (seed * 1_103_515_245 + 12_345 + i) % 2_147_483_648;
    text += seed.toString(36);
  }
  return { body: text };
}

const plain = (count: number, stem: string): TableOfWorkload[] =>
  Array.from({ length: count }, (_, index) => ({ name: `public.${stem}_${index}` }));

/** The tables that every writer writes: with and without key, with an index as identity, large values, partitions. */
export const SHARED: readonly TableOfWorkload[] = [
  ...plain(4, "keyless"),
  ...plain(3, "keyed"),
  { name: "public.indexed" },
  { name: "public.documents", more: body },
  {
    name: "public.events",
    more: (id) => ({ part: String(id % 2) }),
    leaf: ({ part }) => (part === "0" ? "public.events_0" : "elsewhere.events_1"),
  },
  { name: "public.held" },
  { name: "public.extra" },
  { name: "elsewhere.visitor" },
];

/** Numbers of the writers that have a table each for themselves, which they also truncate. */
const EMPTIED = [0, 1, 4];

const COLUMNS = "id int, client int, token text";

/** Makes all tables of the workload. */
export const WORKLOAD_SQL = `
  CREATE SCHEMA elsewhere;
  ${[...plain(4, "keyless"), ...EMPTIED.map((n) => ({ name: `public.emptied_${n}` }))]
    .map(({ name }) => `CREATE TABLE ${name} (${COLUMNS});`)
    .join("\n")}
  ${["keyed_0", "keyed_1", "keyed_2", "held", "extra"].map((name) => `CREATE TABLE ${name} (${COLUMNS}, PRIMARY KEY (id));`).join("\n")}
  CREATE TABLE indexed (${COLUMNS}); ALTER TABLE indexed ALTER id SET NOT NULL;
  CREATE UNIQUE INDEX indexed_id ON indexed (id); ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_id;
  CREATE TABLE documents (${COLUMNS}, body text); ALTER TABLE documents ALTER body SET STORAGE EXTERNAL;
  CREATE TABLE events (${COLUMNS}, part int) PARTITION BY LIST (part);
  CREATE TABLE events_0 PARTITION OF events FOR VALUES IN (0);
  CREATE TABLE elsewhere.events_1 PARTITION OF events FOR VALUES IN (1);
  CREATE TABLE elsewhere.visitor (${COLUMNS});`;

/** How a writer works: the number of changes in a transaction, and the pause after each change, in milliseconds. */
interface Habit {
  readonly changes: number;
  readonly pause: number;
}
const SINGLE: Habit = { changes: 1, pause: 2 };

/** Four writers send single statements; the transactions of four others stay open for 0.2 s to about 2.5 s. */
const HABITS: readonly Habit[] = [
  SINGLE,
  SINGLE,
  SINGLE,
  SINGLE,
  { changes: 4, pause: 60 },
  { changes: 3, pause: 80 },
  { changes: 3, pause: 350 },
  { changes: 4, pause: 600 },
];

/** The slowest statement in some stretch of time. */
export interface Slowest {
  readonly ms: number;
  readonly statement: string;
}

/** Clients that insert, update, delete and truncate all the time, and record in the audit what they have committed. */
export class Workload {
  /** The errors that clients got. */
  readonly errors: string[] = [];
  statements = 0;
  #slowest: Slowest = { ms: 0, statement: "" };
  #running = false;
  #work: Promise<unknown> = Promise.resolve();
  readonly #writers: Writer[];

  private constructor(clients: readonly Client[], audit: Audit) {
    const measure = async (client: Client, statement: string, values: readonly string[]): Promise<number> => {
      const start = performance.now();
      const { rowCount } = await client.query(statement, [...values]);
      const ms = performance.now() - start;
      this.statements += 1;
      if (ms > this.#slowest.ms) this.#slowest = { ms, statement };
      return rowCount ?? 0;
    };
    this.#writers = clients.map((client, number) => new Writer(client, number, audit, measure));
  }

  /** Connects the clients. They begin to write at {@link resume}. */
  static async connect(uri: string, audit: Audit): Promise<Workload> {
    const clients = HABITS.map(() => new Client({ connectionString: uri, application_name: "workload" }));
    await Promise.all(clients.map((client) => client.connect()));
    return new Workload(clients, audit);
  }

  resume(): void {
    this.#running = true;
    this.#work = Promise.all(
      this.#writers.map(async (writer) => {
        while (this.#running) {
          try {
            await writer.transaction();
          } catch (error) {
            this.errors.push(error instanceof Error ? error.message : String(error));
            await writer.recover();
          }
        }
      }),
    );
  }

  /** Stops the writers, after their open transactions are committed. */
  async pause(): Promise<void> {
    this.#running = false;
    await this.#work;
  }

  /** The slowest statement since the last call. */
  slowest(): Slowest {
    const slowest = this.#slowest;
    this.#slowest = { ms: 0, statement: "" };
    return slowest;
  }

  async stop(): Promise<void> {
    await this.pause();
    await Promise.all(this.#writers.map((writer) => writer.client.end()));
  }
}

/** One client. It writes only rows of its own, so that writers never wait for each other. */
class Writer {
  readonly #rows = new Map<string, Values[]>();
  readonly #tables: readonly TableOfWorkload[];
  readonly #habit: Habit;
  #turn: number;
  #id: number;

  constructor(
    readonly client: Client,
    private readonly number: number,
    private readonly audit: Audit,
    private readonly run: (client: Client, statement: string, values: readonly string[]) => Promise<number>,
  ) {
    this.#habit = HABITS[number] ?? SINGLE;
    this.#tables = [...SHARED, ...(EMPTIED.includes(number) ? [{ name: `public.emptied_${number}` }] : [])];
    this.#turn = number * 3;
    this.#id = number * 1_000_000;
  }

  async transaction(): Promise<void> {
    const { changes, pause } = this.#habit;
    const made: Audited[] = [];
    if (changes > 1) await this.run(this.client, "BEGIN", []);
    for (let i = 0; i < changes; i++) {
      made.push(...(await this.#change()));
      await sleep(pause);
    }
    if (changes > 1) await this.run(this.client, "COMMIT", []);
    this.audit.commit(made);
  }

  /** Goes on after an error: rolls back, and leaves its rows alone from then on. */
  async recover(): Promise<void> {
    this.#rows.clear();
    await this.client.query("ROLLBACK");
  }

  async #change(): Promise<Audited[]> {
    this.#turn += 1;
    const table = this.#tables[this.#turn % this.#tables.length];
    if (table === undefined) throw new Error("unreachable");
    const rows = this.#rows.get(table.name) ?? [];
    this.#rows.set(table.name, rows);
    const round = Math.trunc(this.#turn / this.#tables.length) % 5;
    const row = rows.shift();
    if (row === undefined || rows.length === 0 || round === 0) {
      if (row !== undefined) rows.push(row);
      return this.#insert(table, rows);
    }
    if (table.name.startsWith("public.emptied") && round === 3) return this.#truncate(table, rows);
    return round === 4 ? this.#delete(table, row) : this.#update(table, rows, row, round);
  }

  async #insert(table: TableOfWorkload, rows: Values[]): Promise<Audited[]> {
    this.#id += 1;
    const row = {
      id: String(this.#id),
      client: String(this.number),
      token: this.#token(),
      ...table.more?.(this.#id),
    };
    const columns = Object.keys(row);
    await this.#one(
      `INSERT INTO ${table.name} (${columns.join(", ")}) VALUES (${columns.map((_, i) => `$${i + 1}`).join(", ")})`,
      Object.values(row),
    );
    rows.push(row);
    return [{ operation: "Create", table: leafOf(table, row), after: row }];
  }

  async #update(table: TableOfWorkload, rows: Values[], row: Values, round: number): Promise<Audited[]> {
    const moves = row["part"] !== undefined && round === 2;
    const after = {
      ...row,
      token: this.#token(),
      ...(moves ? { part: row["part"] === "0" ? "1" : "0" } : {}),
    };
    const set = moves ? ", part = 1 - part" : "";
    await this.#one(`UPDATE ${table.name} SET token = $1${set} WHERE id = $2`, [
      after.token,
      row["id"] ?? "",
    ]);
    rows.push(after);
    const [from, to] = [leafOf(table, row), leafOf(table, after)];
    if (from === to) return [{ operation: "Update", table: to, before: row, after }];
    // An update that moves a row to another partition is a delete and an insert to PostgreSQL.
    return [
      { operation: "Delete", table: from, before: row },
      { operation: "Create", table: to, after },
    ];
  }

  async #delete(table: TableOfWorkload, row: Values): Promise<Audited[]> {
    await this.#one(`DELETE FROM ${table.name} WHERE id = $1`, [row["id"] ?? ""]);
    return [{ operation: "Delete", table: leafOf(table, row), before: row }];
  }

  async #truncate(table: TableOfWorkload, rows: Values[]): Promise<Audited[]> {
    rows.length = 0;
    await this.run(this.client, `TRUNCATE ${table.name}`, []);
    return [{ operation: "Truncate", table: table.name }];
  }

  async #one(statement: string, values: readonly string[]): Promise<void> {
    const count = await this.run(this.client, statement, values);
    if (count !== 1) throw new Error(`${count} rows instead of one: ${statement}`);
  }

  #token(): string {
    return `${this.number}-${this.#turn}-${this.#id}`;
  }
}

function leafOf(table: TableOfWorkload, row: Values): string {
  return table.leaf?.(row) ?? table.name;
}

/** The tables and partitions that the stream may name: those that every writer writes, and those of one writer. */
export const STREAMED: readonly string[] = [
  ...SHARED.flatMap(({ name }) =>
    name === "public.events" ? ["public.events_0", "elsewhere.events_1"] : [name],
  ),
  ...EMPTIED.map((number) => `public.emptied_${number}`),
];
