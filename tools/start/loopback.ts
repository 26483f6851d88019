import { createServer, Socket } from "node:net";

/** A socket that connects over IPv4, from a given address of this machine. */
export class BoundSocket extends Socket {
  constructor(private readonly localAddress4: string) {
    super();
  }

  /** Called by `pg` as `connect(port, host)`. */
  override connect(port: unknown, host?: unknown): this {
    return super.connect({
      port: Number(port),
      host: String(host),
      localAddress: this.localAddress4,
      family: 4,
    });
  }
}

/** Whether this machine can connect from the address. Not every system has all of 127.0.0.0/8 on its loopback. */
export async function hasAddress(address: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => {
      resolve(false);
    });
    server.listen({ host: address, port: 0 }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
