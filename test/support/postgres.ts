import { randomBytes } from "node:crypto";
import { Client } from "pg";
import type { CommitFault, PostgresVersion, Profile } from "../../sandbox/compute";
import { createCompute, type PostgresCompute } from "../../sandbox/postgres";

/**
 * The servers that tests for any version run on: 17, or those in `TEST_POSTGRES=14,15,16,17,18`. Tests that name no version
 * run on the first of them.
 */
export const MATRIX = (process.env["TEST_POSTGRES"] ?? "17").split(",").map(Number) as PostgresVersion[];
/** The version of a test database whose test names none. */
export const [DEFAULT_VERSION = 17] = MATRIX;
/** How the tests make Bemi's role: before PostgreSQL 16, the owner of a database cannot make it in SQL. */
export const ROLE_MADE_BY = DEFAULT_VERSION < 16 ? "api" : "sql";

const ATTRIBUTES = "CREATEROLE CREATEDB REPLICATION BYPASSRLS";

/**
 * The owners that a test database can have. "api": through Neon's API, as the owner of every new project. "sql": by a role
 * of the user, with the same attributes but not in `neon_superuser`. "superuser": nobody on Neon is one.
 */
const OWNERS = {
  api: `${ATTRIBUTES} IN ROLE neon_superuser`,
  sql: ATTRIBUTES,
  superuser: `${ATTRIBUTES} SUPERUSER`,
} as const;
type Owner = keyof typeof OWNERS;

/**
 * The owner for tests that make Bemi's role on any version: before PostgreSQL 16 only a superuser can give REPLICATION in
 * SQL.
 */
export function ownerWhoMakesRoles(version: PostgresVersion): Owner {
  return version < 16 && ROLE_MADE_BY === "sql" ? "superuser" : "api";
}

export interface TestDatabaseOptions {
  /** Default 17, the version that needs no download, or the first one of {@link MATRIX}. */
  readonly version?: PostgresVersion;
  /** What the owner may do: "neon" (the default) or "strict", as in the sandbox. */
  readonly profile?: Profile;
  /** How the owner of the database was made. Default: "api". */
  readonly owner?: Owner;
  /** Settings of the server, e.g. `{ log_statement: "all" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Default "logical". */
  readonly walLevel?: "replica" | "logical";
  /** Run as the owner in the new database. */
  readonly sql?: string;
  /** Which client addresses the front door lets in. Default: all. */
  readonly admits?: (clientAddress: string) => boolean;
  /** The message with which the front door refuses the login of a role, or `undefined`. Default: none. */
  readonly refuseLogin?: (role: string) => string | undefined;
  /** What goes wrong at the commit of a transaction with a statement about a role. Default: nothing. */
  readonly roleFault?: () => CommitFault | undefined;
  /** Takes lines that say how the start goes on. Default: stderr. */
  readonly progress?: (line: string) => void;
}

/** How to get to a database on a real server. */
export interface DatabaseAccess {
  /**
   * Connects as `neondb_owner` to `neondb`, through the front door over TLS as every client. It names the CA
   * certificate, for `pg` and libpq.
   */
  readonly ownerUri: string;
  /** Connects as the superuser `cloud_admin` to `neondb`, straight to the server. */
  readonly superuserUri: string;
  /** Path of the CA certificate by which the server's certificate is verified. */
  readonly sslRootCert: string;
  /** Path of the server's log. */
  readonly serverLog: string;
}

export interface TestDatabase extends DatabaseAccess {
  readonly compute: PostgresCompute;
  /** The id that the methods of `compute` know the server by. */
  readonly branchId: string;
  /** Runs SQL as the owner, on a connection of its own. */
  sql<Row extends object>(statement: string): Promise<Row[]>;
  /** Opens a connection as the owner, for what spans several statements. {@link clear} ends it. */
  connect(): Promise<Client>;
  /** The names of the event triggers, without those of the sandbox itself. */
  eventTriggers(): Promise<string[]>;
  /** Makes the database as new for the next test: no publications, and no schema but an empty `public`. */
  clear(): Promise<void>;
  /** Stops the server and removes its files. */
  close(): Promise<void>;
}

/** Reads the names of the event triggers. Those of the sandbox itself are members of an extension. */
export const USERS_EVENT_TRIGGERS = `
  SELECT evtname FROM pg_event_trigger e WHERE NOT EXISTS (
    SELECT FROM pg_depend WHERE classid = 'pg_event_trigger'::regclass AND objid = e.oid AND deptype = 'e')
   ORDER BY evtname`;

/** Dropping the schema of an event trigger's function drops the event trigger too. */
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

/**
 * Starts a real server without the Neon API, with the settings that PostgreSQL ships with. A test file starts one in
 * `beforeAll` and closes it in `afterAll`.
 */
export async function testDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const {
    version = DEFAULT_VERSION,
    profile = "neon",
    settings,
    walLevel = "logical",
    sql,
    admits,
    refuseLogin,
    roleFault,
  } = options;
  const progress = options.progress ?? ((line) => process.stderr.write(`${line}\n`));
  const branchId = "br-test";
  const compute = await createCompute({
    pgVersion: version,
    profile,
    settings,
    walLevel,
    admits: (_, address) => admits?.(address) ?? true,
    refuseLogin: (_, role) => refuseLogin?.(role),
    roleFault: () => roleFault?.(),
    progress,
  });
  try {
    await compute.createBranch(branchId);
    const password = randomBytes(18).toString("hex");
    await compute.sql(
      branchId,
      `CREATE ROLE neondb_owner LOGIN PASSWORD '${password}' ${OWNERS[options.owner ?? "api"]}`,
    );
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
      eventTriggers: async () => {
        const rows = await runSql<{ evtname: string }>(ownerUri, USERS_EVENT_TRIGGERS);
        return rows.map(({ evtname }) => evtname);
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

/** Lends a connection of its own to some work. */
export async function withClient<Result>(
  uri: string,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = new Client({ connectionString: uri });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Runs SQL on a connection of its own. Without values, it may be several statements. */
export async function runSql<Row extends object>(
  uri: string,
  statement: string,
  values?: readonly unknown[],
): Promise<Row[]> {
  const { rows } = await withClient(uri, (client) => client.query<Row>(statement, values && [...values]));
  return rows;
}
