import { once } from "node:events";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Greeting } from "./greeting";
import { errorText, messageAt, proxyError } from "./messages";
import { ClientStatements, type StatementRules } from "./statements";

/** SSLRequest: length 8, code 80877103. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/**
 * Connects a client that has said what it wants with the server. During the login, errors are put into the form that
 * Neon's proxy gives them. Afterwards the bytes pass through unchanged.
 *
 * The connection to the server has TLS too. It shows the same certificate as the front door, so that a login with
 * channel binding works.
 */
export async function link(greeting: Greeting, server: Socket, rules: StatementRules): Promise<void> {
  const { socket: client, packet } = greeting;
  if (greeting.request === "cancel") {
    server.end(packet);
    client.end();
    return;
  }
  const behind = await encrypted(server);
  // What the client sent last must still reach the server: a consumer's last acknowledgement is such a message.
  client.once("close", () => {
    behind.destroySoon();
  });
  behind.once("close", () => {
    client.destroySoon();
  });
  if (client.destroyed) behind.destroy();
  behind.write(packet);
  passLogin(behind, client);
  const statements = new ClientStatements(client, behind, rules);
  statements.on("error", () => {
    client.destroy();
  });
  client.pipe(statements);
}

async function encrypted(server: Socket): Promise<Socket> {
  server.write(SSL_REQUEST);
  const gone = new AbortController();
  server.once("close", () => {
    gone.abort();
  });
  await once(server, "data", gone);
  server.pause();
  const behind = connectTls({ socket: server, rejectUnauthorized: false });
  behind.setNoDelay(true);
  behind.on("error", () => {
    server.destroy();
  });
  await once(behind, "secureConnect", gone);
  return behind;
}

/** Passes what the server says until it is ready for the first query (ReadyForQuery, `Z`), and everything after that. */
function passLogin(behind: Socket, client: Socket): void {
  let received = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk]);
    for (let found = messageAt(received, 0); found !== undefined; found = messageAt(received, 0)) {
      received = received.subarray(found.bytes.length);
      client.write(found.type === "E" ? asProxy(errorText(found)) : found.bytes);
      if (found.type !== "Z") continue;
      behind.removeListener("data", onData);
      if (received.length > 0) client.write(received);
      behind.pipe(client);
      return;
    }
  };
  behind.on("data", onData);
  behind.once("end", () => client.end());
}

/** Neon's proxy checks passwords itself, and writes single quotes in that message. */
function asProxy(text: string): Buffer {
  return proxyError(text.replace(/^(password authentication failed for user) "(.*)"$/s, "$1 '$2'"));
}
