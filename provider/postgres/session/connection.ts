import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, DatabaseError } from "pg";
import { UserError } from "../../contract/errors";
import { redact } from "../../contract/secrets";

/** Where and as whom to connect. */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

/** Longest wait for a compute that is starting: Neon's own start-up limit is far below. */
const STARTING_MS = 60_000;
/** Longest wait where nothing answers at all. */
const REFUSED_MS = 8_000;
const ATTEMPT_MS = 20_000;
const TELL_AFTER_MS = 3_000;

/**
 * Opens a connection over verified TLS. Tries again only while the compute may be starting, for at most 60 s; where
 * nothing listens, for at most 8 s. Throws a {@link UserError} that says what to do.
 */
export async function openConnection(login: Login, log: (line: string) => void): Promise<Client> {
  const started = Date.now();
  let told = false;
  for (let pause = 250; ; pause = Math.min(pause * 2, 2_000)) {
    const client = newClient(login, STARTING_MS - (Date.now() - started));
    try {
      await client.connect();
      return client;
    } catch (error) {
      client.end().catch(() => undefined);
      const patience = patienceWith(error);
      if (Date.now() + pause - started > patience) throw connectionError(error, login);
      if (!told && Date.now() - started > TELL_AFTER_MS) {
        log(`Waiting for the compute at ${login.host}:${login.port} to accept connections`);
        told = true;
      }
    }
    await sleep(pause);
  }
}

/** One attempt, for logins where a refusal is an answer. The error is the driver's: see {@link connectionError}. */
export async function tryConnection(login: Login): Promise<void> {
  const client = newClient(login, ATTEMPT_MS);
  try {
    await client.connect();
  } finally {
    await client.end().catch(() => undefined);
  }
}

function newClient(login: Login, budget: number): Client {
  const client = new Client({
    host: login.host,
    port: login.port,
    database: login.database,
    user: login.user,
    password: login.password,
    ssl: tls(login.host),
    application_name: "pulumi-neon-bemi",
    connectionTimeoutMillis: Math.max(1_000, Math.min(ATTEMPT_MS, budget)),
    keepAlive: true,
  });
  // Without a listener, the loss of an idle connection would end the process. Whoever uses it next gets the error.
  client.on("error", () => undefined);
  return client;
}

/** TLS is always verified: against the file in PGSSLROOTCERT, else against the authorities Node.js trusts. */
function tls(host: string): ConnectionOptions {
  const file = process.env["PGSSLROOTCERT"];
  // The driver names the host for the certificate check only where it is not an address.
  const options: ConnectionOptions = { rejectUnauthorized: true, ...(isIP(host) ? { host } : {}) };
  if (!file || file === "system") return options;
  try {
    return { ...options, ca: readFileSync(file, "utf8") };
  } catch (error) {
    throw new UserError(
      `The root certificates that PGSSLROOTCERT names cannot be read: ${facts(error).message}. Correct the variable, or unset it to use the system's authorities.`,
    );
  }
}

/** How long this failure may yet turn into success, in milliseconds. */
function patienceWith(error: unknown): number {
  const { code, message } = facts(error);
  // 57P03: starting up, shutting down or in recovery. The texts are those of Neon's proxy while a compute wakes.
  if (code === "57P03" || /couldn't connect to compute node|control plane request failed/i.test(message))
    return STARTING_MS;
  if (/timeout expired|terminated due to connection timeout/i.test(message)) return STARTING_MS;
  if (code === "ECONNRESET" || code === "57P01" || /connection terminated unexpectedly/i.test(message))
    return STARTING_MS;
  if (["ECONNREFUSED", "EAI_AGAIN", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EPIPE"].includes(code))
    return REFUSED_MS;
  return 0;
}

/** Says in one or two sentences why there is no connection, and what to do. */
export function connectionError(error: unknown, { host, port, database, user }: Login): Error {
  if (error instanceof UserError) return error;
  const place = `${host}:${port}`;
  const { code, message } = facts(error);
  const say = (text: string): UserError => new UserError(text);
  if (/is not allowed to connect/i.test(message))
    return say(
      `${place} refused this machine's address: ${message.replace(/\.?$/, ".")} Add the address of the machine that runs Pulumi to the project's IP Allow list.`,
    );
  switch (code) {
    case "3D000":
      return say(
        `There is no database "${database}" on ${place}. Correct "database", or create it in Neon first.`,
      );
    case "28P01":
      return say(
        `${place} refused the password of role "${user}". Reset the role's password in Neon's console and run again.`,
      );
    case "28000":
      return say(
        `${place} does not let role "${user}" in: ${message}. Check the role in Neon's console and run again.`,
      );
    case "53300":
      return say(
        `${place} has no free connection: ${message}. Close some, or raise the compute's size, and run again.`,
      );
    case "ECONNREFUSED":
      return say(
        `Nothing accepts connections at ${place}. Check that the branch's compute exists and is enabled, and run again.`,
      );
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return say(
        `The host name ${host} cannot be resolved. Check this machine's network and the branch's endpoint, and run again.`,
      );
  }
  if (isTlsError(code, message))
    return say(
      `The TLS connection to ${place} cannot be trusted: ${message}. If a private authority signed its certificate, put that authority's file in PGSSLROOTCERT.`,
    );
  if (/timeout/i.test(message) || code === "ETIMEDOUT")
    return say(
      `${place} did not answer in time. Check that this machine may reach it (firewall, IP Allow, private networking), and run again.`,
    );
  return say(`No connection to ${place}, database "${database}": ${message || code}. Run again.`);
}

function isTlsError(code: string, message: string): boolean {
  return (
    /CERT|^ERR_(SSL|TLS)|UNABLE_TO|^EPROTO$/.test(code) ||
    /certificate|does not support SSL|SSL connection/i.test(message)
  );
}

/** Code and message of whatever was thrown; the driver, Node.js and TLS have different classes of errors. */
export function facts(error: unknown): { readonly code: string; readonly message: string } {
  const { code, message }: { code?: unknown; message?: unknown } =
    typeof error === "object" && error !== null ? error : {};
  return {
    code: typeof code === "string" ? code : "",
    message: redact(typeof message === "string" ? message : String(error)),
  };
}

/** Whether an error of a statement means that the connection itself is lost. */
export function connectionIsLost(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return true;
  // 57P01-57P05: the server or an administrator ended it; class 08: the connection broke.
  return error.code === undefined || /^(57P0|08)/.test(error.code);
}
