import { randomBytes } from "node:crypto";
import { Client } from "pg";
import type { PostgresVersion } from "../../sandbox/compute";
import { createCompute, type PostgresCompute } from "../../sandbox/postgres";

/** The servers of the tests that are run on any: 17, or all in `TEST_POSTGRES=14,15,16,17,18`. */
export const MATRIX = (process.env["TEST_POSTGRES"] ?? "17").split(",").map(Number) as PostgresVersion[];

export interface TestDatabaseOptions {
  /** Default 17, the version that needs no download. */
  readonly version?: PostgresVersion;
  /** Default "strict": the owner is no superuser. "neon": it is one. */
  readonly profile?: "strict" | "neon";
  /** Settings of the server, e.g. `{ log_statement: "all" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Default "logical". */
  readonly walLevel?: "replica" | "logical";
  /** Run as the owner once the database is there. */
  readonly sql?: string;
  /** Which client addresses the front door lets in. Default: all. */
  readonly admits?: (clientAddress: string) => boolean;
}

export interface TestDatabase {
  /** As `neondb_owner` to `neondb`, through the front door; the CA is named in it, for `pg` and libpq alike. */
  readonly ownerUri: string;
  /** As `cloud_admin` to `neondb`, straight to the server. */
  readonly superuserUri: string;
  readonly sslRootCert: string;
  readonly serverLog: string;
  readonly compute: PostgresCompute;
  /** Of the one server, for the methods of `compute`. */
  readonly branchId: string;
  /** Runs SQL as the owner, on a connection of its own. */
  sql<Row extends object>(statement: string): Promise<Row[]>;
  /** Opens a connection as the owner, for what spans several statements; {@link clear} ends it. */
  connect(): Promise<Client>;
  /** Makes the database as new for the next test: no publications, no schema but an empty `public`. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** An event trigger goes with the schema of its function. */
const CLEAR = `
  DO $$
  DECLARE name text;
  BEGIN
    FOR name IN SELECT pubname FROM pg_publication LOOP
      EXECUTE format('DROP PUBLICATION %I', name);
    END LOOP;
    FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
      EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
    CREATE SCHEMA public;
  END $$`;

/** One real server for a test file, without the Neon API. Start it in `beforeAll`, close it in `afterAll`. */
export async function testDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const { version = 17, profile = "strict", settings, walLevel = "logical", sql, admits } = options;
  const branchId = "br-test";
  const compute = await createCompute({
    pgVersion: version,
    settings,
    walLevel,
    admits: (_, address) => admits?.(address) ?? true,
    progress: (line) => process.stderr.write(`${line}\n`),
  });
  try {
    await compute.createBranch(branchId);
    const password = randomBytes(18).toString("hex");
    const attributes = profile === "neon" ? "SUPERUSER" : "CREATEROLE CREATEDB REPLICATION BYPASSRLS";
    await compute.sql(branchId, `CREATE ROLE neondb_owner LOGIN ${attributes} PASSWORD '${password}'`);
    await compute.sql(branchId, "CREATE DATABASE neondb OWNER neondb_owner");
    const { host } = compute.address(branchId);
    const ownerUri = `postgresql://neondb_owner:${password}@${host}/neondb?sslmode=verify-full&sslrootcert=${encodeURIComponent(compute.sslRootCert)}`;
    if (sql !== undefined) await runSql(ownerUri, sql);
    const clients: Client[] = [];
    return {
      ownerUri,
      superuserUri: compute.superuserUri(branchId, "neondb"),
      sslRootCert: compute.sslRootCert,
      serverLog: compute.serverLog(branchId),
      compute,
      branchId,
      sql: (statement) => runSql(ownerUri, statement),
      connect: async () => {
        const client = new Client({ connectionString: ownerUri });
        await client.connect();
        clients.push(client);
        return client;
      },
      clear: async () => {
        await Promise.all(clients.splice(0).map((client) => client.end()));
        await runSql(ownerUri, CLEAR);
      },
      close: () => compute.close(),
    };
  } catch (error) {
    await compute.close();
    throw error;
  }
}

/** Opens a connection, runs the SQL (several statements are fine without values) and closes it again. */
export async function runSql<Row extends object>(
  uri: string,
  statement: string,
  values?: readonly unknown[],
): Promise<Row[]> {
  const client = new Client({ connectionString: uri });
  await client.connect();
  try {
    const { rows } = await client.query<Row>(statement, values && [...values]);
    return rows;
  } finally {
    await client.end();
  }
}
