import { Metadata, status, type ServiceError } from "@grpc/grpc-js";
import * as pb from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { Any } from "google-protobuf/google/protobuf/any_pb";
import type { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { UserError } from "../contract/errors";
import { printableLines } from "../contract/printable";

/** A resource that was made or changed and is not as it should be: the engine fails the step and keeps the state. */
export class PartialFailure extends UserError {
  constructor(
    message: string | readonly string[],
    readonly id: string,
    /** Outputs, with their secrets as secrets. */
    readonly properties: Struct,
  ) {
    super(message);
  }
}

/**
 * An error as the engine shows it: its message, made printable, without any secret. An error that is not the user's to act on says that
 * it is a fault of this provider, and where.
 */
export function presentable(error: unknown): Partial<ServiceError> {
  const details = printableLines(linesOf(error));
  if (error instanceof PartialFailure)
    return { code: status.UNKNOWN, details, metadata: initFailed(error, details) };
  // The component server says in the metadata which arguments are wrong.
  if (isServiceError(error)) return { code: error.code, details, metadata: error.metadata };
  return { code: status.UNKNOWN, details };
}

/** The form in which the engine expects what was made in spite of an error. */
function initFailed({ id, properties }: PartialFailure, reason: string): Metadata {
  const unfinished = new pb.ErrorResourceInitFailed()
    .setId(id)
    .setProperties(properties)
    .setReasonsList([reason])
    .setRefreshBeforeUpdate(true);
  const packed = new Any();
  packed.pack(unfinished.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const message = new Status();
  message.setCode(status.UNKNOWN);
  message.setMessage(reason);
  message.addDetails(packed);
  const metadata = new Metadata();
  metadata.add("grpc-status-details-bin", Buffer.from(message.serializeBinary()));
  return metadata;
}

/** What an error says to the user, line by line; not redacted. */
export function linesOf(error: unknown): readonly string[] {
  if (error instanceof UserError) return error.lines;
  // What the component server says is this package's own: the mistakes in the arguments, a line each.
  if (isServiceError(error)) return error.details.split("\n");
  const { name, message, stack = "" } = error instanceof Error ? error : new Error(String(error));
  const head = `${name}: ${message}`;
  const frames = stack.startsWith(head) ? stack.slice(head.length).split("\n") : [];
  return [
    `Unexpected error in pulumi-neon-bemi, please report it: ${head}`,
    ...frames.filter((frame) => frame !== ""),
  ];
}

/** An answer of the component server. */
function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "details" in error && "code" in error && typeof error.details === "string";
}
