import { randomBytes } from "node:crypto";
import { Client } from "pg";
import type { PostgresVersion } from "../sandbox/compute";
import { createCompute } from "../sandbox/postgres";

/** A database on a real server that is measured. */
export interface Place {
  /** As `neondb_owner` to `neondb`, through the front door over TLS, as every client comes. */
  readonly ownerUri: string;
  /** As a superuser to `neondb`, straight to the server. */
  readonly superuserUri: string;
  /** Path of the CA that the server's certificate is signed by. */
  readonly sslRootCert: string;
  /** Path of the server's log. */
  readonly serverLog: string;
}

export interface OpenPlace extends Place {
  close(): Promise<void>;
}

export interface PlaceOptions {
  readonly version: PostgresVersion;
  readonly progress: (line: string) => void;
}

/**
 * Starts a server with the settings PostgreSQL ships with (fsync is on), `wal_level` logical and an empty database. Its
 * owner is a superuser, as nothing else in vanilla PostgreSQL may do what Neon lets an owner do (event triggers).
 */
export async function openPlace({ version, progress }: PlaceOptions): Promise<OpenPlace> {
  const compute = await createCompute({
    pgVersion: version,
    walLevel: "logical",
    admits: () => true,
    progress,
  });
  try {
    const branch = "br-bench";
    await compute.createBranch(branch);
    const password = randomBytes(18).toString("hex");
    await compute.sql(branch, `CREATE ROLE neondb_owner LOGIN SUPERUSER PASSWORD '${password}'`);
    await compute.sql(branch, "CREATE DATABASE neondb OWNER neondb_owner");
    const { host } = compute.address(branch);
    const query = `sslmode=verify-full&sslrootcert=${encodeURIComponent(compute.sslRootCert)}`;
    return {
      ownerUri: `postgresql://neondb_owner:${password}@${host}/neondb?${query}`,
      superuserUri: compute.superuserUri(branch, "neondb"),
      sslRootCert: compute.sslRootCert,
      serverLog: compute.serverLog(branch),
      close: () => compute.close(),
    };
  } catch (error) {
    await compute.close();
    throw error;
  }
}

/** Lends a connection for the time of some work. */
export async function connected<Result>(
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
