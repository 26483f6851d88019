import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Certificates } from "./certificates";
import { refuse } from "./refusal";

/** What stands behind a front door. */
export interface Behind {
  readonly certificates: Certificates;
  /** Asked once for every new connection. */
  readonly admits: (clientAddress: string) => boolean;
  /** Asked before that: why nobody is let in, in the words for the client. */
  readonly refusal: () => string | undefined;
  /** Makes sure that the server runs, and says on which port of 127.0.0.1. */
  readonly wake: () => Promise<number>;
}

/**
 * Where clients of a branch connect: one port that stays the same while the server behind it stops, starts and moves.
 * Bytes pass unchanged, so TLS, channel binding and authentication are the server's own.
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
      client.once("close", () => server.destroy());
      server.once("close", () => {
        client.destroySoon();
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      refuse(client, this.behind.certificates, `Couldn't connect to compute node: ${reason}`);
    }
  }

  /** The server sees the client's own address. A server that is just being stopped is woken again. */
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

/** Neon's own words. */
function notAllowed(address: string): string {
  return (
    `This IP address ${address} is not allowed to connect to this endpoint. ` +
    "Please add it to the allowed list in the Neon console. Make sure to check for IPv4 or IPv6 addresses."
  );
}
