import { readFileSync } from "node:fs";
import { isIP, Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, DatabaseError } from "pg";
import { systemClock } from "../../contract/clock";
import type { ConnectionSettings, Login } from "../../contract/connection";
import { UserError } from "../../contract/errors";
import { facts, loginFailure, patienceAfter, STARTING_MS } from "./loginFailure";

/** Longest wait for a host or port that does not answer at all, in milliseconds. */
const REFUSED_MS = 8_000;
/** Longest wait for one attempt to log in, in milliseconds. */
const ATTEMPT_MS = 20_000;
/**
 * Longest wait for the answer to one statement, in milliseconds. The server's own limit is 60 s (`statement_timeout`), so
 * a later answer will not come: the server or the network went silent.
 */
const ANSWER_MS = 75_000;
/** After so many milliseconds without traffic, the system asks the other side whether it is still there. */
const KEEP_ALIVE_MS = 10_000;
/** Longest wait for the other side when a connection is closed, in milliseconds. */
const CLOSING_MS = 2_000;
/** After so many milliseconds, a line tells the user what is being waited for. */
const TELL_AFTER_MS = 3_000;

/**
 * Opens a connection over verified TLS. While the compute may be starting, it tries again for at most 60 s; while
 * no connection is free, for at most 10 s; while nothing listens, for at most 8 s. Every other failure ends it at once.
 *
 * A statement that gets no answer fails after 75 s, later than the server's own limit. {@link connectionIsLost} says of
 * its error that the connection is lost; end it with {@link abandonConnection}.
 *
 * @param answerMs the wait for an answer, in milliseconds
 * @throws UserError that says why there is no connection and what to do
 */
export async function openConnection(
  login: Login,
  settings: ConnectionSettings,
  log: (line: string) => void,
  answerMs = ANSWER_MS,
): Promise<Client> {
  try {
    return await connectPatiently(login, settings, log, answerMs);
  } catch (error) {
    throw connectionError(error, login);
  }
}

/** {@link openConnection}, with the driver's error. */
async function connectPatiently(
  login: Login,
  settings: ConnectionSettings,
  log: (line: string) => void,
  answerMs: number,
): Promise<Client> {
  const started = systemClock.now();
  let told = false;
  for (let pause = 250; ; pause = Math.min(pause * 2, 2_000)) {
    const budget = STARTING_MS - (systemClock.now() - started);
    const client = newClient(login, settings, { budget, answerMs });
    try {
      await client.connect();
      return client;
    } catch (error) {
      void closeConnection(client);
      const patience = patienceWith(error);
      if (systemClock.now() + pause - started > patience) throw error;
      if (!told && systemClock.now() - started > TELL_AFTER_MS) {
        log(`Waiting for the compute at ${login.host}:${login.port} to accept connections`);
        told = true;
      }
    }
    await sleep(pause);
  }
}

/**
 * Logs in as {@link openConnection} does and leaves again, for callers to whom a refusal is an answer.
 *
 * @throws the driver's error, which {@link connectionError} puts into words
 */
export async function tryConnection(
  login: Login,
  settings: ConnectionSettings,
  log: (line: string) => void,
): Promise<void> {
  await closeConnection(await connectPatiently(login, settings, log, ANSWER_MS));
}

/**
 * Closes a connection, and does not wait for a server that no longer answers. May be called for any connection, in any
 * state.
 */
export async function closeConnection(client: Client): Promise<void> {
  const closed = new AbortController();
  const patience = sleep(CLOSING_MS, undefined, { signal: closed.signal, ref: false });
  await Promise.race([client.end(), patience]).catch(() => undefined);
  closed.abort();
  abandonConnection(client);
}

/** Ends a connection at once, without a word to the server. For one that is lost: a statement may still wait for it. */
export function abandonConnection(client: Client): void {
  sockets.get(client)?.destroy();
}

/** The socket of each connection, which the driver does not hand out. */
const sockets = new WeakMap<Client, Socket>();

interface Limits {
  /** Longest wait for the attempt to log in, in milliseconds; between 1 s and 20 s are used. */
  readonly budget: number;
  /** Longest wait for the answer to a statement, in milliseconds. */
  readonly answerMs: number;
}

function newClient(login: Login, settings: ConnectionSettings, { budget, answerMs }: Limits): Client {
  const socket = new Socket();
  const client = new Client({
    host: login.host,
    port: login.port,
    database: login.database,
    user: login.user,
    password: login.password,
    ssl: tls(login.host, settings),
    application_name: "pulumi-neon-bemi",
    connectionTimeoutMillis: Math.max(1_000, Math.min(ATTEMPT_MS, budget)),
    query_timeout: answerMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    stream: () => socket,
  });
  sockets.set(client, socket);
  // Without a listener, the loss of an idle connection would end the process. The next statement reports the loss.
  client.on("error", () => undefined);
  return client;
}

/** The server's certificate is always verified, whatever the settings. */
function tls(host: string, { sslRootCert }: ConnectionSettings): ConnectionOptions {
  // The driver passes the host on to the certificate check only if it is a name. An IP address has to be given here.
  const options: ConnectionOptions = { rejectUnauthorized: true, ...(isIP(host) ? { host } : {}) };
  if (sslRootCert === undefined || sslRootCert === "system") return options;
  try {
    return { ...options, ca: readFileSync(sslRootCert, "utf8") };
  } catch (error) {
    throw new UserError(
      `The root certificates that PGSSLROOTCERT names cannot be read: ${facts(error).message}. Correct the variable, or unset it to use the system's authorities.`,
    );
  }
}

/** How long another attempt may still succeed after this failure, in milliseconds since the first attempt; 0: never. */
function patienceWith(error: unknown): number {
  const failure = loginFailure(error);
  if (failure !== undefined) return patienceAfter(failure);
  const { code, message } = facts(error);
  if (/timeout expired|terminated due to connection timeout/i.test(message)) return STARTING_MS;
  if (code === "ECONNRESET" || /connection terminated unexpectedly/i.test(message)) return STARTING_MS;
  if (["ECONNREFUSED", "EAI_AGAIN", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EPIPE"].includes(code))
    return REFUSED_MS;
  return 0;
}

/** The error for the user: why there is no connection, and what to do. */
export function connectionError(error: unknown, { host, port, database, user }: Login): Error {
  if (error instanceof UserError) return error;
  const place = `${host}:${port}`;
  const { code, message } = facts(error);
  const say = (text: string): UserError => new UserError(text);
  switch (loginFailure(error)) {
    case "address refused":
      return say(
        `${place} refused this machine's address: ${message.replace(/\.?$/, ".")} Add the address of the machine that runs Pulumi to the project's IP Allow list.`,
      );
    case "no such database":
      return say(
        `There is no database "${database}" on ${place}. Correct "database", or create it in Neon first.`,
      );
    case "wrong password":
      return say(
        `${place} refused the password of role "${user}". Reset the role's password in Neon's console and run again.`,
      );
    case "role may not log in":
      return say(
        `${place} does not let role "${user}" in: ${message}. Check the role in Neon's console and run again.`,
      );
    case "no privilege on database":
      return say(
        `Role "${user}" may not connect to database "${database}" on ${place}. As the database's owner run GRANT CONNECT ON DATABASE for it, and run again.`,
      );
    case "no free connection":
      return say(
        `${place} has no free connection: ${message}. Close some, or raise the compute's size or the role's CONNECTION LIMIT, and run again.`,
      );
    case "starting":
      return say(
        `The compute at ${place} did not start in time: ${message}. Check the compute in Neon's console and run again.`,
      );
    case undefined:
  }
  switch (code) {
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

/** Whether an error of a statement means that the connection itself is lost. */
export function connectionIsLost(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return true;
  // 57P01 to 57P05: the server or an administrator ended the connection. Class 08: it broke.
  return error.code === undefined || /^(57P0|08)/.test(error.code);
}
