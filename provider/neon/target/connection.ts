import { UserError } from "../../contract/errors";
import { secret } from "../../contract/secrets";
import type { ResolvedTarget } from "../../contract/target";
import type { NeonApi } from "../../contract/neonApi";

/** How to log in to a database as its owner. Kept in memory only. */
export interface ConnectionDetails {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** Secret. */
  readonly password: string;
}

/** Asks Neon how to connect to a database directly as its owner role. Takes one request. */
export async function connectTo(
  neon: NeonApi,
  target: Pick<ResolvedTarget, "projectId" | "branchId" | "endpointId"> & {
    readonly database: { readonly name: string; readonly owner: string };
  },
): Promise<ConnectionDetails> {
  const { projectId, branchId, endpointId, database } = target;
  const uri = await neon.connectionUri({
    projectId,
    branchId,
    endpointId,
    database: database.name,
    role: database.owner,
  });
  return parseUri(uri);
}

/**
 * Splits a connection URI into its parts. Its parameters (`sslmode`, `channel_binding`) are dropped: this module always
 * verifies TLS, and Bemi's form has no fields for them.
 *
 * @throws UserError that does not contain the URI
 */
export function parseUri(uri: string): ConnectionDetails {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (url === undefined || url.hostname === "") throw unreadable();
  const { host, port } = directAddress(url.host);
  let decoded: string[];
  try {
    decoded = [url.username, url.password, url.pathname.slice(1)].map(decodeURIComponent);
  } catch {
    throw unreadable();
  }
  const [user = "", password = "", database = ""] = decoded;
  if (user === "" || password === "" || database === "") throw unreadable();
  return { host, port, database, user, password: secret(password) };
}

function unreadable(): UserError {
  return new UserError(
    "Neon answered with a connection URI that lacks a host, database, user or password: see the database's Connect dialog in Neon's console.",
  );
}

/**
 * Host and port of an endpoint as Neon reports it (`host` or `host:port`). The default port is 5432.
 *
 * @throws UserError for a pooler, because it supports neither replication nor settings that last for a session
 */
export function directAddress(reported: string): { host: string; port: number } {
  const [, host = reported, port] = /^(.*?)(?::(\d+))?$/.exec(reported) ?? [];
  if (/^[^.]*-pooler(\.|$)/.test(host)) {
    throw new UserError(
      `${host} is the connection pooler, which logical replication cannot use: use the direct host ${host.replace("-pooler", "")}.`,
    );
  }
  return { host, port: port === undefined ? 5432 : Number(port) };
}
