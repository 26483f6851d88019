import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createSecureContext, TLSSocket, type SecureContext } from "node:tls";
import type { Certificates } from "./certificates";
import { greet, type Greeting } from "./greeting";
import { link } from "./link";
import { proxyError } from "./messages";
import type { StatementRules } from "./statements";

/** What a front door needs to decide about a client and to reach the server. */
interface Behind {
  readonly certificates: Certificates;
  /** Called once for every login. `false` refuses it. */
  readonly admits: (clientAddress: string) => boolean;
  /** Called before `admits`. The message for the client if no connection is accepted, otherwise `undefined`. */
  readonly refusal: () => string | undefined;
  /** Called after `admits`. The message for a client that may not log in as this role, otherwise `undefined`. */
  readonly refuseLogin: (role: string) => string | undefined;
  readonly statements: StatementRules;
  /** Starts the server if it is down, and returns its port on 127.0.0.1. */
  readonly wake: () => Promise<number>;
}

/**
 * The port to which clients of a branch connect. It stays the same while the server stops, starts and changes its own
 * port. Like Neon's proxy, it ends the client's TLS and gives errors of a login its own form. The server itself checks
 * passwords.
 */
export class Door {
  readonly #sockets = new Set<Socket>();
  readonly #tls: SecureContext;

  private constructor(
    private readonly listener: Server,
    private readonly behind: Behind,
  ) {
    const { certificate: cert, key } = behind.certificates;
    this.#tls = createSecureContext({ cert, key });
    listener.on("connection", (client) => {
      const address = client.remoteAddress;
      this.#keep(client);
      greet(client, this.#tls, (greeting) => void this.#welcome(greeting, address));
    });
  }

  static async open(behind: Behind): Promise<Door> {
    const listener = createServer();
    const door = new Door(listener, behind);
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    return door;
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    if (!this.listener.listening) return;
    const closed = once(this.listener, "close");
    this.listener.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #welcome(greeting: Greeting, address: string | undefined): Promise<void> {
    const { socket: client } = greeting;
    if (address === undefined) return;
    try {
      const refusal = greeting.request === "startup" ? this.#refusal(greeting, address) : undefined;
      if (refusal !== undefined) {
        client.end(proxyError(refusal));
        return;
      }
      const server = await this.#reach(address);
      this.#keep(server);
      await link(greeting, server, this.behind.statements);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      client.end(proxyError(`Couldn't connect to compute node: ${reason}`));
    }
  }

  #refusal({ socket, user }: Greeting, address: string): string | undefined {
    const { refusal, admits, refuseLogin } = this.behind;
    return (
      refusal() ??
      (admits(address) ? undefined : notAllowed(address)) ??
      (socket instanceof TLSSocket ? refuseLogin(user) : INSECURE)
    );
  }

  /**
   * Connects to the server from the client's own address, which the server then sees. Tries again if the server stops
   * at this moment.
   */
  async #reach(localAddress: string): Promise<Socket> {
    for (let attempt = 1; ; attempt++) {
      const server = connect({ port: await this.behind.wake(), host: "127.0.0.1", localAddress });
      try {
        await once(server, "connect");
        return server;
      } catch (error) {
        if (attempt === 5) throw error;
      }
    }
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {
      socket.destroy();
    });
    socket.once("close", () => {
      this.#sockets.delete(socket);
    });
  }
}

/*
 * The messages of Neon's proxy.
 */
const INSECURE = "connection is insecure (try using `sslmode=require`)";

function notAllowed(address: string): string {
  return (
    `This IP address ${address} is not allowed to connect to this endpoint. ` +
    "Please add it to the allowed list in the Neon console. Make sure to check for IPv4 or IPv6 addresses."
  );
}
