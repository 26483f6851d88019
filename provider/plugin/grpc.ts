import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { Server, ServerCredentials, status, type handleUnaryCall, type ServerUnaryCall } from "@grpc/grpc-js";
import { ResourceProviderService, type IResourceProviderServer } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { presentable } from "./failure";

/** A call of the engine. */
export type Call<Request> = ServerUnaryCall<Request, unknown>;

/**
 * For clients of this machine's engine and processes: HTTP_PROXY and its like, which are meant for Neon's API, do not
 * concern them.
 */
export const LOCAL = { "grpc.enable_http_proxy": 0 } as const;

/** Serves the protocol on a free port of the loopback interface, and answers with the port. */
export async function listen(provider: IResourceProviderServer): Promise<number> {
  // State and inputs come from the engine on this machine: their size needs no limit.
  const server = new Server({
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    "grpc.enable_channelz": 0,
  });
  server.addService(ResourceProviderService, provider);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  // With its own listener, gRPC would first look up the address of the loopback interface. A process is started for each
  // phase of each command, so this counts.
  const listener = createServer((connection) => {
    injector.injectConnection(connection);
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  return (listener.address() as AddressInfo).port;
}

/** Answers a call with what the work returns, or with its error in words. */
export function unary<Request, Response>(
  work: (call: Call<Request>) => Response | Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call, answer) => {
    void (async () => {
      try {
        answer(null, await work(call));
      } catch (error) {
        answer(presentable(error));
      }
    })();
  };
}

/** Answers that the provider has no such method. */
export function unimplemented(method: string): handleUnaryCall<unknown, never> {
  return (_, answer) => {
    answer({ code: status.UNIMPLEMENTED, details: `neon-bemi does not implement ${method}` });
  };
}
