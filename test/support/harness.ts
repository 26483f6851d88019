import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as messages from "@pulumi/pulumi/proto/provider_pb";
import { Struct, type JavaScriptValue } from "google-protobuf/google/protobuf/struct_pb";

export type Values = Record<string, JavaScriptValue>;

/** The provider's answer to a diff. */
export interface Diff {
  readonly replaces: readonly string[];
  readonly changes: number;
}

/** A plugin process in @pulumi/pulumi's real dynamic provider host, whose handlers the test calls over its protocol. */
export class Harness {
  /** The lines that the process has printed. An engine would show stdout as info and stderr as errors. */
  readonly output: string[] = [];
  readonly #process: ChildProcess;
  readonly #client: ResourceProviderClient;

  private constructor(process: ChildProcess, port: string) {
    this.#process = process;
    this.#client = new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
  }

  /** Starts a plugin process in a folder and gives it a stack's configuration, as the engine does. */
  static async start(
    cwd: string,
    environment: Record<string, string>,
    config: Values = {},
  ): Promise<Harness> {
    const host = require.resolve("@pulumi/pulumi/cmd/dynamic-provider");
    const child = spawn(process.execPath, [host, "no-engine"], {
      cwd,
      env: { ...process.env, PULUMI_NODEJS_PROJECT: "neon-bemi", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const lines = createInterface({ input: child.stdout });
    const [port] = (await once(lines, "line")) as [string];
    const harness = new Harness(child, port);
    lines.on("line", (line) => harness.output.push(line));
    createInterface({ input: child.stderr }).on("line", (line) => harness.output.push(line));
    const request = new messages.ConfigureRequest();
    request.setArgs(Struct.fromJavaScript(config));
    await call((done) => harness.#client.configure(request, done));
    return harness;
  }

  async check(olds: Values, news: Values): Promise<{ inputs: Values; failures: string[] }> {
    const request = new messages.CheckRequest();
    request.setOlds(Struct.fromJavaScript(olds));
    request.setNews(Struct.fromJavaScript(news));
    const answer = await call<messages.CheckResponse>((done) => this.#client.check(request, done));
    return {
      inputs: answer.getInputs()?.toJavaScript() ?? {},
      failures: answer.getFailuresList().map((failure) => failure.getReason()),
    };
  }

  async diff(id: string, olds: Values, news: Values): Promise<Diff> {
    const request = new messages.DiffRequest();
    request.setId(id);
    request.setOlds(Struct.fromJavaScript(olds));
    request.setNews(Struct.fromJavaScript(news));
    const answer = await call<messages.DiffResponse>((done) => this.#client.diff(request, done));
    return { replaces: answer.getReplacesList(), changes: answer.getChanges() };
  }

  async create(inputs: Values): Promise<{ id: string; state: Values }> {
    const request = new messages.CreateRequest();
    request.setProperties(Struct.fromJavaScript(inputs));
    const answer = await call<messages.CreateResponse>((done) => this.#client.create(request, done));
    return { id: answer.getId(), state: answer.getProperties()?.toJavaScript() ?? {} };
  }

  async read(id: string, state: Values): Promise<{ id: string; state: Values; inputs: Values }> {
    const request = new messages.ReadRequest();
    request.setId(id);
    request.setProperties(Struct.fromJavaScript(state));
    const answer = await call<messages.ReadResponse>((done) => this.#client.read(request, done));
    return {
      id: answer.getId(),
      state: answer.getProperties()?.toJavaScript() ?? {},
      inputs: answer.getInputs()?.toJavaScript() ?? {},
    };
  }

  async update(id: string, olds: Values, news: Values): Promise<Values> {
    const request = new messages.UpdateRequest();
    request.setId(id);
    request.setOlds(Struct.fromJavaScript(olds));
    request.setNews(Struct.fromJavaScript(news));
    const answer = await call<messages.UpdateResponse>((done) => this.#client.update(request, done));
    return answer.getProperties()?.toJavaScript() ?? {};
  }

  async delete(id: string, state: Values): Promise<void> {
    const request = new messages.DeleteRequest();
    request.setId(id);
    request.setProperties(Struct.fromJavaScript(state));
    await call((done) => this.#client.delete(request, done));
  }

  /** Kills the process. */
  async stop(): Promise<void> {
    this.#client.close();
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }
}

function call<Answer>(
  send: (done: (error: ServiceError | null, answer: Answer) => void) => unknown,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    send((error, answer) => {
      if (error === null) resolve(answer);
      else reject(new Error(error.details));
    });
  });
}
