import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { connect as connectTls, TLSSocket } from "node:tls";
import { makeCertificates, type Certificates } from "../../sandbox/postgres/certificates";
import type { SandboxInfo } from "../../sandbox/sandbox";

/** One message that is held, or is going to be. */
export interface Hold {
  /** Settles when a client has sent the message and waits. */
  readonly reached: Promise<void>;
  /** Lets the message pass. From then on, messages like it pass too. */
  readonly release: () => void;
}

interface Held extends Hold {
  readonly text: string;
  readonly arrive: () => void;
  readonly released: Promise<void>;
}

/** Messages that fail. */
interface Broken {
  /** Part of a message, as of one that is held. */
  readonly text: string;
  /** Only after a message with this text has passed. Default: at once. */
  readonly after?: string;
}

/** Headers of a request or an answer that a copy of it must not have. */
const OF_THE_CONNECTION = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "transfer-encoding",
]);

/** An error that no server sends, https://www.postgresql.org/docs/current/protocol-error-fields.html. */
const REFUSED_LOGIN = ((): Buffer => {
  const fields = Buffer.from("SFATAL\0VFATAL\0CXX000\0Mgate closed\0\0");
  const head = Buffer.from("E\0\0\0\0");
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
})();

/**
 * Stands between a provider and its sandbox, and can hold a single message: an SQL statement or a request to Neon's API.
 * So a test can do something at an exact point of a run, however fast the machine is. All other messages pass unchanged,
 * except that the gate's own host stands for the sandbox's in the answers of the API.
 */
export class Gate {
  readonly #holds: Held[] = [];
  #broken: { readonly message: Broken; begun: boolean }[] = [];
  readonly #sockets = new Set<Socket>();
  #sqlPort = 0;
  #info: SandboxInfo;

  private constructor(
    private readonly sandbox: SandboxInfo,
    private readonly folder: string,
    private readonly certificates: Certificates,
    private readonly api: Server,
    private readonly sql: Server,
  ) {
    this.#info = sandbox;
  }

  static async open(sandbox: SandboxInfo): Promise<Gate> {
    const certificates = await makeCertificates();
    const folder = await mkdtemp(path.join(tmpdir(), "neon-bemi-gate-"));
    const sslRootCert = path.join(folder, "ca.pem");
    await writeFile(sslRootCert, certificates.ca);
    const gate: Gate = new Gate(
      sandbox,
      folder,
      certificates,
      createHttpServer((request, response) => {
        void gate.#request(request, response).catch(() => response.destroy());
      }),
      createServer((socket) => {
        void gate.#client(socket).catch(() => socket.destroy());
      }),
    );
    gate.#sqlPort = await listening(gate.sql);
    const apiUrl = new URL(sandbox.apiUrl);
    apiUrl.port = String(await listening(gate.api));
    gate.#info = { ...sandbox, apiUrl: apiUrl.href, sslRootCert };
    return gate;
  }

  /** The sandbox as its clients see it through the gate. */
  get info(): SandboxInfo {
    return this.#info;
  }

  /**
   * Holds the next message that contains the text.
   *
   * @param text part of a statement, of what is bound to its parameters, of a request such as `PATCH /projects/...`, or of
   *   `answer to PATCH /projects/...`: then the request has taken effect
   */
  hold(text: string): Hold {
    let [arrive, release] = [(): void => undefined, (): void => undefined];
    const reached = new Promise<void>((resolve) => (arrive = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    const held: Held = { text, reached, arrive, released, release };
    this.#holds.push(held);
    return held;
  }

  /**
   * From now on, messages with one of these texts fail and have no effect: Neon's API refuses them, and the server refuses a
   * login, or ends the connection. Replaces what failed before. With `$` at the end of a text, the message ends with it.
   */
  break(...messages: readonly Broken[]): void {
    this.#broken = messages.map((message) => ({ message, begun: message.after === undefined }));
  }

  /** Cuts every connection. What is held is lost. */
  async close(): Promise<void> {
    for (const server of [this.api, this.sql]) server.close();
    for (const socket of this.#sockets) socket.destroy();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Whether the message fails. */
  #fails(message: string): boolean {
    const fails = this.#broken.some(({ message: { text }, begun }) => {
      const whole = text.endsWith("$") ? message.endsWith(text.slice(0, -1)) : message.includes(text);
      return begun && whole;
    });
    for (const each of this.#broken)
      if (each.message.after !== undefined && message.includes(each.message.after)) each.begun = true;
    return fails;
  }

  async #pass(message: string): Promise<void> {
    for (const held of this.#holds.filter(({ text }) => message.includes(text))) {
      held.arrive();
      await held.released;
    }
  }

  async #request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = "GET", url = "/" } = request;
    const message = `${method} ${url.replace(/^\/api\/v2/, "")}`;
    await this.#pass(message);
    if (this.#fails(message)) {
      response
        .writeHead(403, { "content-type": "application/json" })
        .end(`{"code":"","message":"gate closed"}`);
      return;
    }
    const answer = await fetch(new URL(url, this.sandbox.apiUrl), {
      method,
      headers: copied(Object.entries(request.headers)),
      ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
    });
    const host = new URL(this.sandbox.ownerUri).host;
    const text = (await answer.text()).replaceAll(host, `localhost:${this.#sqlPort}`);
    await this.#pass(`answer to ${message}`);
    response.writeHead(answer.status, copied([...answer.headers])).end(text);
  }

  /** Ends the client's TLS and begins another one with the sandbox, so that statements can be read. */
  async #client(socket: Socket): Promise<void> {
    // The request for TLS.
    await once(this.#keep(socket), "readable");
    socket.read(8);
    socket.write("S");
    const { certificate: cert, key } = this.certificates;
    const client = this.#keep(new TLSSocket(socket, { isServer: true, cert, key }));
    const { hostname: host, port } = new URL(this.sandbox.ownerUri);
    const behind = this.#keep(connect({ host, port: Number(port) }));
    await once(behind, "connect");
    behind.write(Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]));
    await once(behind, "readable");
    behind.read(1);
    const ca = await readFile(this.sandbox.sslRootCert);
    const server = this.#keep(connectTls({ socket: behind, ca, servername: host }));
    server.pipe(client);
    server.once("close", () => {
      client.destroySoon();
    });
    client.once("close", () => {
      server.destroySoon();
    });
    for await (const message of messages(client)) {
      const text = message.toString("latin1");
      await this.#pass(text);
      if (this.#fails(text)) {
        // For a login, a reason is given: without one, the provider would wait a minute for the compute to start.
        if (text.includes("user\0")) client.end(REFUSED_LOGIN);
        else client.destroy();
        return;
      }
      server.write(message);
    }
  }

  #keep<Kept extends Socket>(socket: Kept): Kept {
    this.#sockets.add(socket);
    socket.on("error", () => {
      socket.destroy();
    });
    socket.once("close", () => {
      this.#sockets.delete(socket);
    });
    return socket;
  }
}

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function copied(
  headers: readonly (readonly [string, string | string[] | undefined])[],
): Record<string, string> {
  const kept = headers.filter(([name]) => !OF_THE_CONNECTION.has(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
}

/** The messages of a client, https://www.postgresql.org/docs/current/protocol-message-formats.html. */
async function* messages(client: Socket): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  // The first message has no type.
  let typed = 0;
  for await (const chunk of client) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    while (rest.length >= typed + 4) {
      const length = typed + rest.readInt32BE(typed);
      if (rest.length < length) break;
      yield rest.subarray(0, length);
      rest = rest.subarray(length);
      typed = 1;
    }
  }
}
