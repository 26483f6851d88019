import type { ServerUnaryCall } from "@grpc/grpc-js";
import { PluginInfo, type PluginAttach } from "@pulumi/pulumi/proto/plugin_pb";
import type { IResourceProviderServer } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as pb from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import type { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { UserError } from "../contract/errors";
import type { AnyKind, Run } from "../contract/kind";
import { checkConfiguration, type Configuration } from "./configuration";
import type { ComponentServer } from "./construct";
import type { Engine } from "./engine";
import { PartialFailure } from "./failure";
import { unary, unimplemented, type Call } from "./grpc";
import { Resource, type CheckedInputs, type State } from "./resource";
import { packageSchema } from "./schema";
import { receive, send } from "./secrecy";
import { parseUrn } from "./urn";
import { differences, encode, rootOf, type Change, type Properties, type Values } from "./values";
import { VERSION } from "./version";

const { DIFF_NONE, DIFF_SOME } = pb.DiffResponse.DiffChanges;
const { Kind } = pb.PropertyDiff;

/** How a change is shown, in place or as the reason of a replacement. */
const CHANGES: Readonly<
  Record<Change, { readonly inPlace: pb.PropertyDiff.Kind; readonly replacing: pb.PropertyDiff.Kind }>
> = {
  add: { inPlace: Kind.ADD, replacing: Kind.ADD_REPLACE },
  delete: { inPlace: Kind.DELETE, replacing: Kind.DELETE_REPLACE },
  update: { inPlace: Kind.UPDATE, replacing: Kind.UPDATE_REPLACE },
};

/** What a plugin process is made of. */
export interface Parts {
  readonly kinds: readonly AnyKind[];
  readonly engine: Engine;
  readonly components: ComponentServer;
  /** Takes the provider's configuration, before the first resource is asked for. */
  readonly configure: (configuration: Configuration) => void;
  /** What the kinds work with. */
  readonly run: Run;
  /** Previews and reads look at nothing, because the user says that nothing can be reached. */
  readonly offline?: boolean;
}

/**
 * Pulumi's provider protocol over the kinds: decodes what the engine sends, asks a {@link Resource}, encodes the answer.
 * Every resource asks the engine to be read before each update (`refreshBeforeUpdate`), because what it tracks lives in
 * the database: so every preview and up sees drift, whether or not the user asked for a refresh.
 */
export function service({
  kinds,
  engine,
  components,
  configure,
  run,
  offline,
}: Parts): IResourceProviderServer {
  const resources = new Map(kinds.map((kind) => [kind.definition.type, new Resource(kind, run, offline)]));
  const resourceOf = (urn: string): Resource => {
    const { type } = parseUrn(urn);
    const resource = resources.get(type.split(":").at(-1) ?? "");
    if (resource === undefined)
      throw new UserError(`The provider neon-bemi has no resource of the type ${type}.`);
    return resource;
  };
  const during = <Response>(
    call: ServerUnaryCall<{ getUrn(): string }, unknown>,
    work: () => Promise<Response>,
  ): Promise<Response> => engine.during(call.request.getUrn(), () => call.cancelled, work);

  const methods = {
    handshake: unary(({ request }: Call<pb.ProviderHandshakeRequest>) => {
      if (engine.address === undefined && request.getEngineAddress() !== "")
        engine.connect(request.getEngineAddress());
      return new pb.ProviderHandshakeResponse()
        .setAcceptSecrets(true)
        .setAcceptResources(true)
        .setAcceptOutputs(true);
    }),

    attach: unary(({ request }: Call<PluginAttach>) => {
      engine.connect(request.getAddress());
      return new Empty();
    }),

    getPluginInfo: unary(() => new PluginInfo().setVersion(VERSION)),

    getSchema: unary(() =>
      new pb.GetSchemaResponse().setSchema(
        JSON.stringify(packageSchema(kinds.map(({ definition }) => definition))),
      ),
    ),

    checkConfig: unary(({ request }: Call<pb.CheckRequest>) => {
      const { values, secrets } = receive(request.getNews());
      // However the key was set, it is never in the state in clear.
      return checked(checkConfiguration(values), new Set([...secrets, "apiKey"]));
    }),

    diffConfig: unary(({ request }: Call<pb.DiffRequest>) => {
      const before = receive(request.getOldInputs() ?? request.getOlds()).values;
      const changes = [...differences(before, receive(request.getNews()).values)];
      // Another key or address leads to the same objects: nothing is replaced.
      return new pb.DiffResponse()
        .setChanges(changes.length === 0 ? DIFF_NONE : DIFF_SOME)
        .setDiffsList([...new Set(changes.map(([path]) => rootOf(path)))]);
    }),

    configure: unary(({ request }: Call<pb.ConfigureRequest>) => {
      configure(receive(request.getArgs()).values);
      return new pb.ConfigureResponse()
        .setAcceptsecrets(true)
        .setSupportspreview(true)
        .setAcceptresources(true)
        .setAcceptoutputs(true);
    }),

    check: unary(({ request }: Call<pb.CheckRequest>) => {
      const { values, secrets } = receive(request.getNews());
      return checked(resourceOf(request.getUrn()).check(request.getUrn(), values), secrets);
    }),

    diff: unary(({ request }: Call<pb.DiffRequest>) => {
      const resource = resourceOf(request.getUrn());
      const { changes, replaces } = resource.diff(
        receive(request.getOlds()).values,
        receive(request.getOldInputs()).values,
        receive(request.getNews()).values,
        request.getIgnorechangesList(),
      );
      const response = new pb.DiffResponse()
        .setChanges(changes.size === 0 ? DIFF_NONE : DIFF_SOME)
        .setHasdetaileddiff(true)
        .setReplacesList([...replaces])
        .setDeletebeforereplace(replaces.length > 0 && resource.deletedBeforeReplace)
        .setDiffsList([...new Set([...changes.keys()].map(rootOf))]);
      for (const [path, { change, input }] of changes) {
        const kind = CHANGES[change][replaces.includes(rootOf(path)) ? "replacing" : "inPlace"];
        response.getDetaileddiffMap().set(path, new pb.PropertyDiff().setKind(kind).setInputdiff(input));
      }
      return response;
    }),

    create: unary((call: Call<pb.CreateRequest>) =>
      during(call, async () => {
        const { request } = call;
        const resource = resourceOf(request.getUrn());
        const urn = request.getUrn();
        const news = receive(request.getProperties());
        const response = new pb.CreateResponse().setRefreshBeforeUpdate(true);
        if (request.getPreview())
          return response.setProperties(
            send(await resource.previewCreate(urn, news.values), resource.secrets, [news]),
          );
        const made = await resource.create(urn, news.values);
        return response.setId(made.id).setProperties(finished(resource, made, [news]));
      }),
    ),

    read: unary((call: Call<pb.ReadRequest>) =>
      during(call, async () => {
        const { request } = call;
        const [id, urn] = [request.getId(), request.getUrn()];
        const resource = resourceOf(urn);
        const state = receive(request.getProperties());
        const inputs = receive(request.getInputs());
        // An import knows nothing but the id.
        const isImport = Object.keys(state.values).length === 0;
        const found = isImport
          ? await resource.import(id, urn)
          : await resource.refresh({ urn, id, state: state.values, inputs: inputs.values });
        // Without an id, the object is gone.
        if (found === undefined) return new pb.ReadResponse();
        return new pb.ReadResponse()
          .setId(found.id)
          .setRefreshBeforeUpdate(true)
          .setInputs(encode(found.inputs, inputs.secrets))
          .setProperties(send(found.outputs, resource.secrets, [state, inputs]));
      }),
    ),

    update: unary((call: Call<pb.UpdateRequest>) =>
      during(call, async () => {
        const { request } = call;
        const resource = resourceOf(request.getUrn());
        const news = receive(request.getNews());
        const sent = {
          urn: request.getUrn(),
          id: request.getId(),
          state: receive(request.getOlds()).values,
          inputs: sentInputs(request),
        };
        const response = new pb.UpdateResponse().setRefreshBeforeUpdate(true);
        if (request.getPreview()) {
          const planned = await resource.previewUpdate(sent, news.values);
          return response.setProperties(send(planned, resource.secrets, [news]));
        }
        const changed = await resource.update(sent, news.values);
        return response.setProperties(finished(resource, changed, [news]));
      }),
    ),

    delete: unary((call: Call<pb.DeleteRequest>) =>
      during(call, async () => {
        const { request } = call;
        const [urn, id, state] = [request.getUrn(), request.getId(), receive(request.getProperties()).values];
        await resourceOf(urn).delete({ urn, id, state, inputs: sentInputs(request) });
        return new Empty();
      }),
    ),

    construct: unary(({ request }: Call<pb.ConstructRequest>) =>
      components.construct(request, engine.address),
    ),

    cancel: unary(() => {
      engine.cancel();
      components.cancel();
      return new Empty();
    }),

    getMapping: unary(() => new pb.GetMappingResponse()),
    getMappings: unary(() => new pb.GetMappingsResponse()),
    parameterize: unimplemented("Parameterize"),
    invoke: unimplemented("Invoke"),
    call: unimplemented("Call"),
  };
  return methods as unknown as IResourceProviderServer;
}

/** The inputs of the last run; `undefined` where the engine is too old to send them. */
function sentInputs(request: pb.UpdateRequest | pb.DeleteRequest): Values | undefined {
  const sent = request.getOldInputs();
  return sent === undefined ? undefined : receive(sent).values;
}

/**
 * The answer to a check. The mistakes name no property: the engine would print the property's value before each, and a
 * mistake begins with the path anyhow.
 */
function checked({ inputs, mistakes }: CheckedInputs, secrets: ReadonlySet<string>): pb.CheckResponse {
  return new pb.CheckResponse()
    .setInputs(encode(inputs, secrets))
    .setFailuresList(mistakes.map((reason) => new pb.CheckFailure().setReason(reason)));
}

/** Outputs after some work. Work that left something unfinished fails, and its outputs travel with the error. */
function finished(resource: Resource, state: State, origins: readonly Properties[]): Struct {
  const { id, outputs, problem } = state;
  const struct = send(outputs, resource.secrets, origins);
  if (problem !== undefined) throw new PartialFailure(problem, id, struct);
  return struct;
}
