import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

export interface SeenRequest {
  readonly method: string;
  /** Path and query below the base URL. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

/** The reply to a request: an answer, a cut connection, or no answer at all. */
export type Reply =
  | {
      readonly status: number;
      /** Sent as JSON; text that is no JSON as a Buffer. */
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
      /** Compresses the body. */
      readonly gzip?: boolean;
    }
  | "cut"
  | "silence";

export interface ScriptedApi {
  readonly baseUrl: string;
  readonly requests: SeenRequest[];
  /** The requests so far, each as `GET /projects/p` without its query. */
  calls(): string[];
  /** May be called twice. */
  close(): Promise<void>;
}

const BASE = "/api/v2";

/**
 * Starts an HTTP server on loopback.
 *
 * @param answer gets the request, and how many requests with the same method and path came before
 */
export async function scriptedApi(
  answer: (request: SeenRequest, before: number) => Reply | Promise<Reply>,
): Promise<ScriptedApi> {
  const requests: SeenRequest[] = [];
  const call = ({ method, url }: SeenRequest): string => `${method} ${url.split("?", 1)[0] ?? ""}`;
  const server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.on("end", () => {
      const text = Buffer.concat(parts).toString();
      const request: SeenRequest = {
        method: incoming.method ?? "",
        url: (incoming.url ?? "").slice(BASE.length),
        headers: incoming.headers,
        body: text === "" ? undefined : (JSON.parse(text) as unknown),
      };
      const before = requests.filter((other) => call(other) === call(request)).length;
      requests.push(request);
      void Promise.resolve(answer(request, before)).then((reply) => {
        send(outgoing, reply);
      });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}${BASE}`,
    requests,
    calls: () => requests.map(call),
    close: async () => {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function send(outgoing: ServerResponse, reply: Reply): void {
  if (reply === "silence") return;
  if (reply === "cut") {
    outgoing.destroy();
    return;
  }
  const { status, headers, body, gzip = false } = reply;
  outgoing.writeHead(status, {
    "content-type": "application/json",
    ...(gzip ? { "content-encoding": "gzip" } : {}),
    ...headers,
  });
  const text = Buffer.isBuffer(body) ? body : Buffer.from(body === undefined ? "" : JSON.stringify(body));
  outgoing.end(gzip ? gzipSync(text) : text);
}
