import { fork, type ChildProcess } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { credentials } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import type { ConstructRequest, ConstructResponse } from "@pulumi/pulumi/proto/provider_pb";

/** The program of the process that makes components, beside this file. */
const PROGRAM = path.join(__dirname, "constructServer.js");

/**
 * Makes components for programs in other languages. A component's code is a Pulumi program, which needs the whole SDK:
 * the SDK's own component server runs it, in a process that is started by the first component and ends with this one.
 * TypeScript programs make the component in their own process and never get here.
 */
export class ComponentServer {
  readonly #program: string;
  #client: Promise<ResourceProviderClient> | undefined;

  /** @param program - what the process runs; default: the program beside this file */
  constructor(program = PROGRAM) {
    this.#program = program;
  }

  /** @param engineAddress - where the engine listens: the component's log lines go there */
  async construct(request: ConstructRequest, engineAddress: string | undefined): Promise<ConstructResponse> {
    this.#client ??= this.#start(engineAddress);
    const client = await this.#client;
    return new Promise((resolve, reject) => {
      client.construct(request, (error, response) => {
        if (error === null) resolve(response);
        else reject(error);
      });
    });
  }

  async #start(engineAddress: string | undefined): Promise<ResourceProviderClient> {
    const child = fork(this.#program, engineAddress === undefined ? [] : [engineAddress], {
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    });
    // It must not keep this process alive.
    child.unref();
    child.channel?.unref();
    // The next component starts another one.
    child.once("exit", () => (this.#client = undefined));
    child.once("error", () => (this.#client = undefined));
    const port = await firstLine(child);
    return new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
  }
}

/** The SDK's server prints its port as the first line. */
function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => {
      reject(new Error(`the process that makes components ended with ${code ?? "a signal"}`));
    });
    if (child.stdout !== null) createInterface(child.stdout).once("line", resolve);
  });
}
