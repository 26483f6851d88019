import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Certificates } from "./certificates";
import { refuse } from "./refusal";

/** What a front door needs to decide about a client and to reach the server. */
interface Behind {
  readonly certificates: Certificates;
  /** Called once for every new connection. `false` refuses it. */
  readonly admits: (clientAddress: string) => boolean;
  /** Called before `admits`. The message for the client if no connection is accepted, otherwise `undefined`. */
  readonly refusal: () => string | undefined;
  /** Starts the server if it is down, and returns its port on 127.0.0.1. */
  readonly wake: () => Promise<number>;
}

/**
 * The port to which clients of a branch connect. It stays the same while the server stops, starts and changes its own
 * port. Bytes pass through unchanged, so the server itself handles TLS, channel binding and authentication.
 */
export class Door {
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly listener: Server,
    private readonly behind: Behind,
  ) {
    listener.on("connection", (client) => void this.#welcome(client));
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

  async #welcome(client: Socket): Promise<void> {
    this.#keep(client);
    const address = client.remoteAddress;
    if (address === undefined) return;
    try {
      const refusal =
        this.behind.refusal() ?? (this.behind.admits(address) ? undefined : notAllowed(address));
      if (refusal !== undefined) {
        refuse(client, this.behind.certificates, refusal);
        return;
      }
      const server = await this.#reach(address);
      this.#keep(server);
      if (client.destroyed) server.destroy();
      client.pipe(server).pipe(client);
      // What the client sent last must still reach the server: a consumer's last acknowledgement is such a message.
      client.once("close", () => {
        server.destroySoon();
      });
      server.once("close", () => {
        client.destroySoon();
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      refuse(client, this.behind.certificates, `Couldn't connect to compute node: ${reason}`);
    }
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

/** The message of Neon's proxy. */
function notAllowed(address: string): string {
  return (
    `This IP address ${address} is not allowed to connect to this endpoint. ` +
    "Please add it to the allowed list in the Neon console. Make sure to check for IPv4 or IPv6 addresses."
  );
}
