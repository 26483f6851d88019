import {
  credentials,
  Server,
  ServerCredentials,
  type MethodDefinition,
  type sendUnaryData,
  type ServerUnaryCall,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { EngineService, type IEngineServer } from "@pulumi/pulumi/proto/engine_grpc_pb";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb";
import { ResourceProviderClient, ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as pb from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import type { NeonApi } from "../../provider/contract/neonApi";
import { CommandMemory } from "../../provider/plugin/commandMemory";
import type { Configuration } from "../../provider/plugin/configuration";
import { ComponentServer } from "../../provider/plugin/construct";
import { Engine } from "../../provider/plugin/engine";
import { listen } from "../../provider/plugin/grpc";
import { makeRun } from "../../provider/plugin/run";
import { service, type Parts } from "../../provider/plugin/server";
import { decode, type Properties } from "../../provider/plugin/values";
import { fakeKind, type FakeKind } from "./fakeKind";

export const URN = "urn:pulumi:production::shop::neon-bemi:index:Shelf::books";

const SIGNATURE = "4dabf18193072939515e22adb298388d";

/** A value in the envelope of the protocol's secrets. */
export function secretly(value: unknown): Record<string, unknown> {
  return { [SIGNATURE]: "1b47061264138c4ac30d75fd1eb44270", value };
}

/** Values as the engine sends them. */
export function struct(values: object): Struct {
  return Struct.fromJavaScript(values as Parameters<typeof Struct.fromJavaScript>[0]);
}

/** Values that the provider sent, with the names of the secret ones. */
export function plain(sent: Struct | undefined): Properties["values"] {
  return decode(sent).values;
}

/** Names of the properties that came in a secret's envelope. */
export function secretsOf(sent: Struct | undefined): string[] {
  return [...decode(sent).secrets].sort();
}

/** A line that reached the engine. */
export interface Line {
  readonly urn: string;
  readonly message: string;
  readonly ephemeral: boolean;
}

/** An engine that only listens to log lines. */
export interface FakeEngine {
  readonly address: string;
  readonly lines: Line[];
  /** What happens when the engine is killed. */
  readonly kill: () => void;
}

/** Starts a server of one gRPC service, and answers with its address. */
export async function serve(
  definition: Parameters<Server["addService"]>[0],
  methods: UntypedServiceImplementation,
): Promise<{ readonly address: string; readonly server: Server }> {
  const server = new Server();
  server.addService(definition, methods);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return { address: `127.0.0.1:${port}`, server };
}

export async function fakeEngine(): Promise<FakeEngine> {
  const lines: Line[] = [];
  const methods: Pick<IEngineServer, "log"> = {
    log: (call: ServerUnaryCall<LogRequest, Empty>, answer: sendUnaryData<Empty>) => {
      const { request } = call;
      lines.push({
        urn: request.getUrn(),
        message: request.getMessage(),
        ephemeral: request.getEphemeral(),
      });
      answer(null, new Empty());
    },
  };
  const { address, server } = await serve(EngineService, methods);
  return {
    address,
    lines,
    kill: () => {
      server.forceShutdown();
    },
  };
}

/** The protocol's methods, for {@link Asking.call}. */
export const METHODS = ResourceProviderService;

/** Asks a provider as the engine does. */
export class Asking {
  readonly client: ResourceProviderClient;

  constructor(address: string) {
    this.client = new ResourceProviderClient(address, credentials.createInsecure());
  }

  call<Request, Response>(method: MethodDefinition<Request, Response>, request: Request): Promise<Response> {
    const { path, requestSerialize, responseDeserialize } = method;
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        (error, response) => {
          if (error !== null) reject(error);
          else if (response === undefined) reject(new Error(`${path} has no answer`));
          else resolve(response);
        },
      );
    });
  }

  check(news: object, urn = URN): Promise<pb.CheckResponse> {
    return this.call(METHODS.check, new pb.CheckRequest().setUrn(urn).setNews(struct(news)));
  }

  checkConfig(news: object): Promise<pb.CheckResponse> {
    return this.call(METHODS.checkConfig, new pb.CheckRequest().setNews(struct(news)));
  }

  diff(
    state: object,
    oldInputs: object,
    news: object,
    ignored: readonly string[] = [],
  ): Promise<pb.DiffResponse> {
    const request = new pb.DiffRequest()
      .setUrn(URN)
      .setOlds(struct(state))
      .setOldInputs(struct(oldInputs))
      .setNews(struct(news))
      .setIgnorechangesList([...ignored]);
    return this.call(METHODS.diff, request);
  }

  create(properties: object, preview = false, urn = URN): Promise<pb.CreateResponse> {
    const request = new pb.CreateRequest().setUrn(urn).setPreview(preview).setProperties(struct(properties));
    return this.call(METHODS.create, request);
  }

  read(id: string, state: object, inputs: object, urn = URN): Promise<pb.ReadResponse> {
    const request = new pb.ReadRequest()
      .setUrn(urn)
      .setId(id)
      .setProperties(struct(state))
      .setInputs(struct(inputs));
    return this.call(METHODS.read, request);
  }

  update(id: string, olds: object, news: object, preview = false): Promise<pb.UpdateResponse> {
    const request = new pb.UpdateRequest()
      .setUrn(URN)
      .setId(id)
      .setPreview(preview)
      .setOlds(struct(olds))
      .setNews(struct(news));
    return this.call(METHODS.update, request);
  }

  delete(id: string, state: object, urn = URN): Promise<Empty> {
    return this.call(
      METHODS.delete,
      new pb.DeleteRequest().setUrn(urn).setId(id).setProperties(struct(state)),
    );
  }
}

/** A provider of one fake kind, which has been told where a fake engine listens. */
export interface Provider {
  readonly ask: Asking;
  readonly kind: FakeKind;
  readonly engine: FakeEngine;
  /** What the engine configured. */
  readonly configured: Configuration[];
}

/** Serves the fake kind in this process. */
export async function provider(parts: Partial<Parts> = {}): Promise<Provider> {
  const kind = fakeKind();
  const engine = await fakeEngine();
  const configured: Configuration[] = [];
  const link = new Engine(() => undefined);
  const port = await listen(
    service({
      kinds: [kind],
      engine: link,
      components: new ComponentServer(),
      configure: (given) => configured.push(given),
      run: makeRun({
        neon: (): NeonApi => {
          throw new Error("a fake kind asks nobody");
        },
        connection: {},
        memory: new CommandMemory(undefined),
        log: (message) => {
          link.log(message);
        },
        status: (message) => {
          link.status(message);
        },
        checkpoint: () => {
          link.checkpoint();
        },
      }),
      ...parts,
    }),
  );
  const ask = new Asking(`127.0.0.1:${port}`);
  await ask.call(METHODS.handshake, new pb.ProviderHandshakeRequest().setEngineAddress(engine.address));
  return { ask, kind, engine, configured };
}
