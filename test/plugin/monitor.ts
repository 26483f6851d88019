import type { sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import { ResourceMonitorService } from "@pulumi/pulumi/proto/resource_grpc_pb";
import {
  RegisterResourceResponse,
  SupportsFeatureResponse,
  type RegisterResourceRequest,
  type SupportsFeatureRequest,
} from "@pulumi/pulumi/proto/resource_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { decode, encode } from "../../provider/plugin/values";
import { serve } from "./harness";

/** What the engine can do that changes what a program sends. */
const FEATURES = ["secrets", "resourceReferences", "outputValues", "aliasSpecs", "deletedWith", "transforms"];

/** The engine's side of a program: it takes in what is registered, and makes nothing. */
export interface FakeMonitor {
  readonly address: string;
  /** In the order of their arrival. */
  readonly registered: RegisterResourceRequest[];
  /** From now on, what is registered gets no answer. */
  readonly hold: () => void;
}

/**
 * Starts a monitor.
 *
 * @param outputs - what every resource has besides its inputs; the password is a secret. Default: nothing
 */
export async function fakeMonitor(outputs: Readonly<Record<string, unknown>> = {}): Promise<FakeMonitor> {
  const registered: RegisterResourceRequest[] = [];
  let held = false;
  const { address } = await serve(ResourceMonitorService, {
    supportsFeature: (
      { request }: ServerUnaryCall<SupportsFeatureRequest, SupportsFeatureResponse>,
      answer: sendUnaryData<SupportsFeatureResponse>,
    ) => {
      answer(null, new SupportsFeatureResponse().setHassupport(FEATURES.includes(request.getId())));
    },
    registerResource: (
      { request }: ServerUnaryCall<RegisterResourceRequest, RegisterResourceResponse>,
      answer: sendUnaryData<RegisterResourceResponse>,
    ) => {
      registered.push(request);
      if (held) return;
      const { values, secrets } = decode(request.getObject());
      const state = encode({ ...values, ...outputs }, new Set([...secrets, "password"]));
      const [type, name] = [request.getType(), request.getName()];
      answer(
        null,
        new RegisterResourceResponse().setUrn(urnOf(type, name)).setId(`${name}-id`).setObject(state),
      );
    },
    registerResourceOutputs: (_: unknown, answer: sendUnaryData<Empty>) => {
      answer(null, new Empty());
    },
    signalAndWaitForShutdown: (_: unknown, answer: sendUnaryData<Empty>) => {
      answer(null, new Empty());
    },
  });
  return { address, registered, hold: () => (held = true) };
}

/** The URN that a monitor gives to a resource. It leaves out the parents' types, which the engine would add. */
export function urnOf(type: string, name: string): string {
  return `urn:pulumi:dev::shop::${type}::${name}`;
}
