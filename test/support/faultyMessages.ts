import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Client } from "pg";

/**
 * What happens at a message:
 *
 * - `refused`: it has no effect, and is answered by an error of the server; Neon answers this and every later request of the
 *   command by 500, because single ones are repeated;
 * - `locked`: the same, with SQLSTATE 55P03 and with status 423;
 * - `cut`: it has no effect, and the connection breaks;
 * - `lost`: it has its effect, and the connection breaks before the answer;
 * - `dead before`, `dead after`: the plugin is killed before the message, or after its effect. No later message is sent.
 */
export type Fault = "refused" | "locked" | "cut" | "lost" | "dead before" | "dead after";

/** A fault at one message of a command, counted from 0. */
export interface Failure {
  readonly at: number;
  readonly fault: Fault;
}

/** Headers of one connection. */
const OF_THE_CONNECTION = new Set(["connection", "content-length", "keep-alive", "transfer-encoding"]);

type Send = (...given: unknown[]) => Promise<unknown>;

/** What the driver's client has and its type declarations lack. */
interface Internals {
  readonly connection: { readonly stream: { destroy(): void } };
}

/**
 * Every message that a plugin sends, in this process: logins and SQL statements by the driver, and requests to Neon's API
 * through a door of its own. It records them, and lets one of them fail.
 */
export class FaultyMessages {
  #watching = false;
  #sent: string[] = [];
  #failure: Failure | undefined;
  /** With which status Neon answers every request from now on. */
  #outage: 423 | 500 | undefined;
  readonly #connect = Reflect.get(Client.prototype, "connect") as unknown as Send;
  readonly #query = Reflect.get(Client.prototype, "query") as unknown as Send;

  private constructor(
    private readonly door: Server,
    private readonly emulatorUrl: string,
  ) {}

  static async open(apiUrl: string): Promise<FaultyMessages> {
    const door = createServer();
    const messages = new FaultyMessages(door, apiUrl);
    door.on("request", (request: IncomingMessage, response: ServerResponse) => {
      void messages.#request(request, response).catch(() => response.destroy());
    });
    door.listen(0, "127.0.0.1");
    await once(door, "listening");
    messages.#watchDriver();
    return messages;
  }

  /** The address of Neon's API for the plugin. */
  get apiUrl(): string {
    const url = new URL(this.emulatorUrl);
    url.port = String((this.door.address() as AddressInfo).port);
    return url.href;
  }

  /** Whether the plugin has been killed, so that its engine saves nothing. */
  get dead(): boolean {
    return this.#failure?.fault.startsWith("dead") === true && this.#sent.length > this.#failure.at;
  }

  /** Does the work with this failure. Returns its messages, the failing one last if the plugin died of it. */
  async during(
    work: () => Promise<unknown>,
    failure?: Failure,
  ): Promise<{ sent: string[]; error: Error | undefined }> {
    this.#sent = [];
    this.#failure = failure;
    this.#outage = undefined;
    this.#watching = true;
    let error: Error | undefined;
    try {
      await work();
    } catch (thrown) {
      error = thrown instanceof Error ? thrown : new Error(String(thrown));
    } finally {
      this.#watching = false;
    }
    return { sent: this.#sent, error };
  }

  /** Ends the door, and gives the driver back. */
  async close(): Promise<void> {
    Client.prototype.connect = this.#connect as unknown as typeof Client.prototype.connect;
    Client.prototype.query = this.#query as unknown as typeof Client.prototype.query;
    this.door.closeAllConnections();
    this.door.close();
    await once(this.door, "close");
  }

  /** Notes a message. Returns what happens at it. */
  #next(message: string): Fault | undefined {
    if (this.dead) return "dead before";
    // How often an operation is asked for depends on the time it takes.
    if (message.includes("/operations/") && this.#sent.includes(message)) return undefined;
    const at = this.#sent.push(message) - 1;
    return this.#failure?.at === at ? this.#failure.fault : undefined;
  }

  #watchDriver(): void {
    const [connect, query] = [this.#connect, this.#query];
    // The sandbox uses the same driver.
    const watching = (client: Client): boolean => this.#watching && client.user !== "cloud_admin";
    const next = (message: string): Fault | undefined => this.#next(message);
    // With a callback, the driver's pool connects.
    const login = async function login(this: Client, ...given: unknown[]): Promise<unknown> {
      const fault = watching(this) ? next(`login as ${this.user ?? ""}`) : undefined;
      if (fault === "refused" || fault === "locked")
        throw Object.assign(new Error("password authentication failed: injected"), { code: "28000" });
      if (fault === "cut") throw broken();
      // Not as a broken connection, which the plugin would try to make again for a minute.
      if (fault === "dead before") throw new Error("killed");
      const connected = await connect.apply(this, given);
      if (fault === undefined) return connected;
      destroy(this);
      throw broken();
    };
    Client.prototype.connect = login as unknown as typeof Client.prototype.connect;
    Client.prototype.query = async function send(this: Client, ...given: unknown[]) {
      const fault = watching(this) ? next(textOf(given[0])) : undefined;
      if (fault === undefined) return query.apply(this, given);
      if (fault === "refused" || fault === "locked") return query.call(this, refusal(fault));
      if (fault === "lost" || fault === "dead after") await query.apply(this, given).catch(() => undefined);
      destroy(this);
      throw broken();
    } as unknown as typeof Client.prototype.query;
  }

  async #request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = "GET", url = "/" } = request;
    const fault = this.#watching ? this.#next(`${method} ${url.replace(/^\/api\/v2|\?.*/g, "")}`) : undefined;
    if (fault === "refused" || fault === "locked") this.#outage = fault === "locked" ? 423 : 500;
    if (this.#watching && this.#outage !== undefined) {
      response.writeHead(this.#outage, { "content-type": "application/json" });
      response.end(`{"code":"","message":"injected"}`);
      return;
    }
    if (fault === "cut" || fault === "dead before") {
      response.destroy();
      return;
    }
    const answer = await fetch(new URL(url, this.emulatorUrl), {
      method,
      headers: copied(Object.entries(request.headers).filter(([name]) => name !== "host")),
      ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
    });
    const text = await answer.text();
    if (fault === undefined) response.writeHead(answer.status, copied([...answer.headers])).end(text);
    else response.destroy();
  }
}

function copied(headers: readonly (readonly [string, unknown])[]): Record<string, string> {
  const kept = headers.filter(([name]) => !OF_THE_CONNECTION.has(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
}

/** An error of the server in place of a statement. In a transaction, it aborts the transaction as any error does. */
function refusal(fault: "refused" | "locked"): string {
  const code = fault === "locked" ? "55P03" : "XX000";
  return `DO $$ BEGIN RAISE EXCEPTION USING MESSAGE = 'injected', ERRCODE = '${code}'; END $$`;
}

function broken(): Error {
  return Object.assign(new Error("Connection terminated unexpectedly"), { code: "ECONNRESET" });
}

function destroy(client: Client): void {
  (client as unknown as Internals).connection.stream.destroy();
}

function textOf(query: unknown): string {
  const text = typeof query === "string" ? query : ((query as { text?: string }).text ?? "");
  return text.replace(/\s+/g, " ").trim();
}
