import type { Socket } from "node:net";
import { TLSSocket, type SecureContext } from "node:tls";

const SSL_REQUEST = 80877103;
const GSSENC_REQUEST = 80877104;
const CANCEL_REQUEST = 80877102;
/** First byte of a TLS handshake. Clients can start one without a request (`sslnegotiation=direct`, PostgreSQL 17). */
const TLS_HANDSHAKE = 0x16;
/** How long a client may take to send its startup message. */
const PATIENCE_MS = 10_000;
/** The longest startup message, as in PostgreSQL. */
const LONGEST = 10_000;

/** What a client wants, once it has said so. */
export interface Greeting {
  /** Where the client reads and writes from now on: a TLS socket, or the client's own socket without TLS. */
  readonly socket: Socket;
  readonly request: "startup" | "cancel";
  /** The message itself, for the server. */
  readonly packet: Buffer;
  /** The role that wants to log in; empty in a request to cancel. */
  readonly user: string;
}

/**
 * Answers the client's requests for encryption, ends its TLS as Neon's proxy does, and waits for its startup message or
 * its request to cancel. Calls back once, or never if the client goes away, sends nonsense or takes too long.
 */
export function greet(client: Socket, context: SecureContext, greeted: (greeting: Greeting) => void): void {
  const timer = setTimeout(() => client.destroy(), PATIENCE_MS);
  client.once("close", () => {
    clearTimeout(timer);
  });
  listen(client, context, (greeting) => {
    clearTimeout(timer);
    greeted(greeting);
  });
}

function listen(socket: Socket, context: SecureContext, greeted: (greeting: Greeting) => void): void {
  let received = Buffer.alloc(0);
  const stop = (): void => {
    socket.removeListener("data", onData);
    socket.pause();
  };
  const encrypt = (): void => {
    stop();
    const tls = new TLSSocket(socket, {
      isServer: true,
      secureContext: context,
      ALPNProtocols: ["postgresql"],
    });
    tls.on("error", () => socket.destroy());
    listen(tls, context, greeted);
  };
  const onData = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk]);
    if (received[0] === TLS_HANDSHAKE && !(socket instanceof TLSSocket)) {
      stop();
      socket.unshift(received);
      encrypt();
      return;
    }
    while (received.length >= 8) {
      const [length, code] = [received.readInt32BE(0), received.readInt32BE(4)];
      if (length < 8 || length > LONGEST) socket.destroy();
      if (length < 8 || length > LONGEST || received.length < length) return;
      const packet = received.subarray(0, length);
      received = received.subarray(length);
      if (code === SSL_REQUEST) {
        socket.write("S");
        encrypt();
        return;
      }
      if (code === GSSENC_REQUEST) {
        socket.write("N");
        continue;
      }
      stop();
      if (received.length > 0) socket.unshift(received);
      const request = code === CANCEL_REQUEST ? "cancel" : "startup";
      greeted({ socket, request, packet, user: request === "startup" ? userOf(packet) : "" });
      return;
    }
  };
  socket.on("data", onData);
}

/** The parameter `user` of a startup message: after length and version, names and values alternate. */
function userOf(packet: Buffer): string {
  const words = packet.subarray(8).toString("utf8").split("\0");
  for (let at = 0; at + 1 < words.length; at += 2) if (words[at] === "user") return words[at + 1] ?? "";
  return "";
}
