import { fork, type ChildProcess } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { credentials } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import type { ConstructRequest, ConstructResponse } from "@pulumi/pulumi/proto/provider_pb";
import { UserError } from "../contract/errors";
import { LOCAL } from "./grpc";

/** Follows the engine's words "resource 'orders' has a problem:". */
const UNFINISHED = "it is not complete, because the command failed or was cancelled: see the other error.";

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
  /** Ends the components that are being made, each with an error. */
  readonly #running = new Set<(error: Error) => void>();

  /** @param program - what the process runs; default: the program beside this file */
  constructor(program = PROGRAM) {
    this.#program = program;
  }

  /** @param engineAddress - where the engine listens: the component's log lines go there */
  async construct(request: ConstructRequest, engineAddress: string | undefined): Promise<ConstructResponse> {
    this.#client ??= this.#start(engineAddress);
    const client = await this.#client;
    return new Promise((resolve, reject) => {
      this.#running.add(reject);
      client.construct(request, (error, response) => {
        this.#running.delete(reject);
        if (error === null) resolve(response);
        else reject(error);
      });
    });
  }

  /**
   * Answers for the components that are still being made, because the engine ends the command. It never tells a component
   * that one of its resources has failed. Without an answer, the engine would print that its own connection is closing.
   */
  cancel(): void {
    for (const reject of this.#running) reject(new UserError(UNFINISHED));
    this.#running.clear();
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
    return new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure(), LOCAL);
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
