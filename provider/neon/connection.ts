import { UserError } from "../contract/errors";
import { secret } from "../contract/secrets";
import type { ResolvedTarget } from "../contract/target";
import type { NeonApi } from "../contract/neonApi";

/** How to log in to a database as its owner. Lives in memory only. */
export interface ConnectionDetails {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** Secret. */
  readonly password: string;
}

/** Connection details of a database, as its owner role, straight to the compute (one request). */
export async function connectTo(
  neon: NeonApi,
  target: Omit<ResolvedTarget, "host"> & {
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
 * Takes a connection URI apart. Its parameters (`sslmode`, `channel_binding`) are dropped: how TLS is used is not
 * for the URI to say, and consumers' forms do not know them.
 *
 * @throws UserError without the URI in it
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
 * Host and port of an endpoint as Neon reports it (`host` or `host:port`).
 *
 * @throws UserError for a pooler: it serves neither replication nor a session of our own
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
