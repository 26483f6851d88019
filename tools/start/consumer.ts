import { readFileSync } from "node:fs";
import type { ClientConfig } from "pg";
import { LogicalReplicationService, PgoutputPlugin, type Pgoutput } from "pg-logical-replication";
import { UserError } from "../../provider/contract/errors";
import type { Change, Row } from "./changes";
import { withClient } from "./client";
import { BoundSocket } from "./loopback";

/** How the consumer connects, and what it reads. */
export interface ConsumerOptions {
  /** The fields of Bemi's dialog. */
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly username: string;
    readonly password: string;
  };
  /** Name of the publication to stream. */
  readonly publication: string;
  /** Name of the replication slot. Created if it does not exist. */
  readonly slot: string;
  /** Path of the CA certificate that the server is verified against. Default: the CAs that Node trusts. */
  readonly sslRootCert?: string;
  /** The address of this machine to connect from. Default: the system's choice. */
  readonly localAddress?: string;
}

/** A running stream of changes, like that of Bemi. */
export interface Consumer {
  /** Everything captured so far, in the order of the commits. */
  readonly changes: readonly Change[];
  /**
   * Waits for a logical message. Resolves when the transaction of the message, and so every change that was committed
   * before, has arrived and is acknowledged. A consumer that starts again afterwards gets none of these changes twice.
   * @throws UserError if the stream breaks, or if the message does not arrive within `timeoutMs`
   */
  reached(content: string, timeoutMs: number): Promise<void>;
  /** Ends the stream and waits until the slot is inactive. The slot stays. */
  stop(): Promise<void>;
}

/** Longest wait for the slot to become inactive, in milliseconds. */
const RELEASE_MS = 5_000;

/**
 * Does what Bemi's worker does: it logs in over verified TLS with the fields of Bemi's dialog, creates the slot (pgoutput)
 * if it does not exist, and streams the publication. Resolves when the server has begun to stream.
 */
export async function startConsumer(options: ConsumerOptions): Promise<Consumer> {
  const config = clientConfig(options);
  const keys = await prepare(config, options.slot);
  const stream = new Stream(keys);

  const service = new LogicalReplicationService(config, { acknowledge: { auto: false, timeoutSeconds: 10 } });
  service.on("data", (_lsn, message: Pgoutput.Message) => {
    const committed = stream.take(message);
    if (committed !== undefined) void service.acknowledge(committed);
  });
  service.on("error", (error) => {
    stream.fail(error);
  });
  const started = new Promise<void>((resolve) => {
    service.on("start", resolve);
  });
  const plugin = new TextPgoutput({
    protoVersion: 1,
    publicationNames: [options.publication],
    messages: true,
  });
  service.subscribe(plugin, options.slot).then(
    () => {
      stream.fail(new Error("the server ended the stream"));
    },
    (error: unknown) => {
      stream.fail(error);
    },
  );
  await Promise.race([started, stream.failed]);

  return {
    changes: stream.changes,
    reached: (content, timeoutMs) => stream.reached(content, timeoutMs),
    async stop() {
      await service.destroy();
      await released(config, options.slot);
    },
  };
}

function clientConfig(options: ConsumerOptions): ClientConfig {
  const { connection, sslRootCert, localAddress } = options;
  return {
    host: connection.host,
    port: connection.port,
    database: connection.database,
    user: connection.username,
    password: connection.password,
    application_name: "bemi",
    ssl: sslRootCert === undefined ? true : { ca: readFileSync(sslRootCert, "utf8") },
    ...(localAddress === undefined ? {} : { stream: () => new BoundSocket(localAddress) }),
  };
}

/** Creates the slot if it is missing. Reads the primary keys, because with FULL the stream marks every column as key. */
async function prepare(config: ClientConfig, slot: string): Promise<ReadonlyMap<string, string[]>> {
  return await withClient(config, async (client) => {
    const { rowCount } = await client.query(
      "SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1",
      [slot],
    );
    if (rowCount === 0) {
      await client.query("SELECT pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput')", [slot]);
    }
    const { rows } = await client.query<{ table: string; columns: string[] }>(PRIMARY_KEYS);
    return new Map(rows.map(({ table, columns }) => [table, columns]));
  });
}

const PRIMARY_KEYS = `
  SELECT n.nspname || '.' || c.relname AS "table",
         pg_catalog.array_agg(a.attname::text ORDER BY pg_catalog.array_position(i.indkey::int2[], a.attnum)) AS columns
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey::int2[])
  WHERE i.indisprimary
  GROUP BY 1`;

async function released(config: ClientConfig, slot: string): Promise<void> {
  const deadline = Date.now() + RELEASE_MS;
  await withClient(config, async (client) => {
    while (Date.now() < deadline) {
      const { rowCount } = await client.query(
        "SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1 AND active",
        [slot],
      );
      if (rowCount === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
}

/** Keeps every value as the text that the server sent, so that numbers and times are not rounded. */
class TextPgoutput extends PgoutputPlugin {
  override parse(buffer: Buffer): Pgoutput.Message {
    const message = super.parse(buffer);
    if (message.tag === "relation") {
      for (const column of message.columns) column.parser = String;
    }
    return message;
  }
}

/** By this prefix, Bemi tells the message with an application's context from others. */
export const CONTEXT_PREFIX = "_bemi";

/** Collects the changes from the messages of the stream. */
class Stream {
  readonly changes: Change[] = [];
  /** Rejects when the stream breaks. */
  readonly failed: Promise<never>;
  private time = new Date(0);
  private readonly contents = new Set<string>();
  /** Contents of the logical messages in the transaction that is arriving. */
  private arriving: string[] = [];
  /** The message of Bemi's ORM packages among them. */
  private context: string | undefined;
  /** Where the changes of the transaction that is arriving begin. */
  private begun = 0;
  private arrived: (() => void) | undefined;
  private reject: (error: Error) => void = () => undefined;

  constructor(private readonly keys: ReadonlyMap<string, string[]>) {
    this.failed = new Promise<never>((_, reject) => {
      this.reject = reject;
    });
    // Callers that wait get the failure. If nobody waits, it must not count as an unhandled rejection.
    this.failed.catch(() => undefined);
  }

  fail(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.reject(new UserError(`Bemi's stream broke: ${reason}.`));
  }

  /** Takes one message. Returns the position to acknowledge if the message ends a transaction. */
  take(message: Pgoutput.Message): string | undefined {
    switch (message.tag) {
      case "begin":
        this.time = new Date(Number(message.commitTime.valueOf() / 1000n));
        this.begun = this.changes.length;
        this.context = undefined;
        return undefined;
      case "insert":
        this.add("Create", message.relation, null, message.new);
        return undefined;
      case "update":
        this.add("Update", message.relation, message.old, message.new);
        return undefined;
      case "delete":
        this.add("Delete", message.relation, message.old, null);
        return undefined;
      case "truncate":
        for (const relation of message.relations) this.add("Truncate", relation, null, null);
        return undefined;
      case "message": {
        const content = new TextDecoder().decode(message.content);
        this.arriving.push(content);
        if (message.prefix === CONTEXT_PREFIX) this.context = content;
        return undefined;
      }
      case "commit":
        this.addContext();
        for (const content of this.arriving) this.contents.add(content);
        this.arriving = [];
        this.arrived?.();
        // The client acknowledges one byte more than the given position. So acknowledge the start of the commit record:
        // one byte after its end could be inside the next transaction, which would then be skipped.
        return message.commitLsn ?? undefined;
      case "origin":
      case "relation":
      case "type":
        return undefined;
    }
  }

  /** The context of a transaction is that of all its changes, also of those before the message. */
  private addContext(): void {
    const { context, begun } = this;
    if (context === undefined) return;
    const told = this.changes.splice(begun).map((change) => ({ ...change, context }));
    this.changes.push(...told);
  }

  async reached(content: string, timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const arrival = new Promise<void>((resolve, reject) => {
      this.arrived = () => {
        if (this.contents.has(content)) resolve();
      };
      timer = setTimeout(() => {
        const seconds = timeoutMs / 1000;
        reject(new UserError(`Bemi's stream did not catch up with the application within ${seconds} s.`));
      }, timeoutMs);
      this.arrived();
    });
    try {
      await Promise.race([arrival, this.failed]);
    } finally {
      clearTimeout(timer);
      this.arrived = undefined;
    }
  }

  private add(
    operation: Change["operation"],
    relation: Pgoutput.MessageRelation,
    before: Row | null,
    after: Row | null,
  ): void {
    const table = `${relation.schema}.${relation.name}`;
    this.changes.push({
      time: this.time,
      operation,
      table,
      key: this.keys.get(table) ?? [],
      before: before ?? undefined,
      after: after ?? undefined,
    });
  }
}
