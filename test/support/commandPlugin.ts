import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { Server, ServerCredentials, status, type handleUnaryCall } from "@grpc/grpc-js";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as pb from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
/*
 * Plays Pulumi's plugin `command` with its resource `command:local:Command`, which can be had only from Pulumi's own
 * downloads. As the real one (1.2.1): a change of `triggers` replaces, any other change updates; an update runs `update`,
 * or `create` where there is none; the command's environment is added to that of the plugin; standard output and error
 * become outputs without their last line end; a command that fails is an error with what it printed.
 * It runs as a program of its own, so it imports nothing of this repository.
 */

type Properties = Record<string, unknown>;

function valuesOf(struct: Struct | undefined): Properties {
  const values = Object.entries((struct?.toJavaScript() ?? {}) as Properties);
  return Object.fromEntries(values.filter(([, value]) => value !== null));
}

function structOf(values: Properties): Struct {
  return Struct.fromJavaScript(values as Parameters<typeof Struct.fromJavaScript>[0]);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Runs a command, and answers with the outputs that it adds. */
async function run(command: unknown, inputs: Properties, before: Properties = {}): Promise<Properties> {
  if (typeof command !== "string") return { stdout: "", stderr: "" };
  const { interpreter = ["/bin/sh", "-c"], dir, environment, stdin } = inputs;
  const [program = "", ...args] = interpreter as string[];
  const previous =
    inputs["addPreviousOutputInEnv"] === true
      ? { PULUMI_COMMAND_STDOUT: before["stdout"], PULUMI_COMMAND_STDERR: before["stderr"] }
      : {};
  const child = spawn(program, [...args, command], {
    cwd: dir as string | undefined,
    env: { ...process.env, ...(environment as object), ...(previous as object) },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.end(stdin);
  let [stdout, stderr, printed] = ["", "", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
    printed += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
    printed += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`exit status ${code ?? -1}: running "${command}":\n${printed}`);
  return { stdout: stdout.replace(/\n$/, ""), stderr: stderr.replace(/\n$/, "") };
}

function answering<Request, Response>(
  work: (request: Request) => Response | Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call, answer) => {
    void (async () => {
      try {
        answer(null, await work(call.request));
      } catch (error) {
        answer({ code: status.UNKNOWN, details: error instanceof Error ? error.message : String(error) });
      }
    })();
  };
}

const methods = {
  getPluginInfo: answering(() => new PluginInfo().setVersion("1.2.1")),
  getSchema: answering(() => new pb.GetSchemaResponse().setSchema("{}")),
  checkConfig: answering((request: pb.CheckRequest) => new pb.CheckResponse().setInputs(request.getNews())),
  diffConfig: answering(() => new pb.DiffResponse()),
  configure: answering(() => new pb.ConfigureResponse().setSupportspreview(true)),
  check: answering((request: pb.CheckRequest) => {
    const inputs = { addPreviousOutputInEnv: true, ...valuesOf(request.getNews()) };
    return new pb.CheckResponse().setInputs(structOf(inputs));
  }),
  diff: answering((request: pb.DiffRequest) => {
    const [olds, news] = [valuesOf(request.getOldInputs()), valuesOf(request.getNews())];
    const names = [...new Set([...Object.keys(olds), ...Object.keys(news)])];
    const changed = names.filter((name) => !same(olds[name], news[name]));
    const { DIFF_NONE, DIFF_SOME } = pb.DiffResponse.DiffChanges;
    return new pb.DiffResponse()
      .setChanges(changed.length === 0 ? DIFF_NONE : DIFF_SOME)
      .setDiffsList(changed)
      .setReplacesList(changed.filter((name) => name === "triggers"));
  }),
  create: answering(async (request: pb.CreateRequest) => {
    const inputs = valuesOf(request.getProperties());
    const outputs = request.getPreview() ? {} : await run(inputs["create"], inputs);
    const id = `${request.getName()}${randomBytes(4).toString("hex")}`;
    return new pb.CreateResponse().setId(id).setProperties(structOf({ ...inputs, ...outputs }));
  }),
  read: answering((request: pb.ReadRequest) =>
    new pb.ReadResponse()
      .setId(request.getId())
      .setProperties(request.getProperties())
      .setInputs(request.getInputs()),
  ),
  update: answering(async (request: pb.UpdateRequest) => {
    const [olds, inputs] = [valuesOf(request.getOlds()), valuesOf(request.getNews())];
    const { stdout, stderr } = olds;
    const outputs = request.getPreview()
      ? { stdout, stderr }
      : await run(inputs["update"] ?? inputs["create"], inputs, olds);
    return new pb.UpdateResponse().setProperties(structOf({ ...inputs, ...outputs }));
  }),
  delete: answering(async (request: pb.DeleteRequest) => {
    const state = valuesOf(request.getProperties());
    if (state["delete"] !== undefined) await run(state["delete"], state, state);
    return new Empty();
  }),
  cancel: answering(() => new Empty()),
};

/** Serves the plugin, and prints its port, as the engine expects. */
function serve(): void {
  const unimplemented: handleUnaryCall<unknown, never> = (_, answer) => {
    answer({ code: status.UNIMPLEMENTED, details: "not implemented" });
  };
  const all = Object.fromEntries(Object.keys(ResourceProviderService).map((name) => [name, unimplemented]));
  const server = new Server();
  server.addService(ResourceProviderService, { ...all, ...methods });
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) throw error;
    console.log(port);
  });
  process.on("SIGINT", () => process.exit());
}

serve();
