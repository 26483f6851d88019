import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Certificates } from "./certificates";

const SSL_REQUEST = 80877103;
const GSSENC_REQUEST = 80877104;
const CANCEL_REQUEST = 80877102;
/** First byte of a TLS handshake. Clients can start one without a request (`sslnegotiation=direct`, PostgreSQL 17). */
const TLS_HANDSHAKE = 0x16;
/** How long a client may take to send its startup message. */
const PATIENCE_MS = 10_000;

/** Sends the message to the client as an error of PostgreSQL's protocol, and closes the connection. */
export function refuse(socket: Socket, certificates: Certificates, message: string): void {
  socket.setTimeout(PATIENCE_MS, () => socket.destroy());
  answer(socket, certificates, message);
}

function answer(socket: Socket, certificates: Certificates, message: string): void {
  let received = Buffer.alloc(0);
  const encrypt = (): void => {
    socket.removeListener("data", onData);
    socket.pause();
    const { certificate: cert, key } = certificates;
    const tls = new TLSSocket(socket, { isServer: true, cert, key, ALPNProtocols: ["postgresql"] });
    tls.on("error", () => socket.destroy());
    answer(tls, certificates, message);
  };
  const onData = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk]);
    if (received[0] === TLS_HANDSHAKE && !(socket instanceof TLSSocket)) {
      socket.removeListener("data", onData);
      socket.unshift(received);
      encrypt();
      return;
    }
    while (received.length >= 8) {
      const [length, request] = [received.readInt32BE(0), received.readInt32BE(4)];
      if (length < 8) socket.destroy();
      if (length < 8 || received.length < length) return;
      received = received.subarray(length);
      if (request === SSL_REQUEST) {
        socket.write("S");
        encrypt();
        return;
      }
      if (request === GSSENC_REQUEST) socket.write("N");
      else if (request === CANCEL_REQUEST) socket.destroy();
      else socket.end(errorResponse(message));
    }
  };
  socket.on("data", onData);
}

/** https://www.postgresql.org/docs/current/protocol-message-formats.html, ErrorResponse. */
function errorResponse(message: string): Buffer {
  const fields = { S: "FATAL", V: "FATAL", C: "XX000", M: message };
  const body = Object.entries(fields).map(([field, value]) => `${field}${value}\0`);
  const content = Buffer.from(`${body.join("")}\0`);
  const head = Buffer.alloc(5);
  head.write("E");
  head.writeInt32BE(content.length + 4, 1);
  return Buffer.concat([head, content]);
}
