import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import * as pb from "@pulumi/pulumi/proto/provider_pb";
import { ComponentServer } from "../../provider/plugin/construct";
import { bundlePlugin } from "../../tools/release/bundle";
import { until } from "../support/until";
import { decode } from "../../provider/plugin/values";
import { fakeEngine, plain, secretly, secretsOf, struct } from "./harness";
import { fakeMonitor, type FakeMonitor } from "./monitor";

const PROJECT = path.join(__dirname, "..", "..");
const TRAIL = "neon-bemi:index:BemiAuditTrail";

/** A resource that the component registered. */
interface Registered {
  /** Last part of the type token. */
  readonly type: string;
  readonly name: string;
  readonly parent: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

function registeredBy({ registered }: FakeMonitor): Registered[] {
  return registered.map((request) => ({
    type: request.getType().split(":").at(-1) ?? "",
    name: request.getName(),
    parent: request.getParent(),
    inputs: decode(request.getObject()).values,
  }));
}

let folder: string;
let program: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "neon-bemi-construct-"));
  await bundlePlugin(PROJECT, folder);
  program = path.join(folder, "constructServer.js");
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function request(monitor: string, inputs: object): pb.ConstructRequest {
  return new pb.ConstructRequest()
    .setProject("shop")
    .setStack("dev")
    .setMonitorendpoint(monitor)
    .setType(TRAIL)
    .setName("orders")
    .setInputs(struct(inputs));
}

test("makes the component's resources for a program in another language", async () => {
  const [engine, monitor, components] = [
    await fakeEngine(),
    await fakeMonitor(),
    new ComponentServer(program),
  ];
  const inputs = {
    projectId: secretly("cool-darkness-123456"),
    database: "neondb",
    tables: ["public.orders"],
  };
  const answer = await components.construct(request(monitor.address, inputs), engine.address);
  expect(answer.getUrn()).toBe(`urn:pulumi:dev::shop::${TRAIL}::orders`);
  expect(Object.keys(plain(answer.getState()))).toEqual(
    expect.arrayContaining(["connection", "status", "debezium"]),
  );
  expect(secretsOf(answer.getState())).toContain("connection");

  const [trail, ...resources] = registeredBy(monitor);
  expect(trail).toMatchObject({ type: "BemiAuditTrail", name: "orders" });
  expect(resources.map(({ type }) => type)).toEqual([
    "LogicalReplication",
    "ReplicationRole",
    "ReadAccess",
    "ReplicaIdentity",
    "Publication",
    "ReplicationSlot",
    "Readiness",
  ]);
  expect(new Set(resources.map(({ parent }) => parent))).toEqual(new Set([answer.getUrn()]));
  for (const { inputs: given } of resources)
    expect(given).toMatchObject({ projectId: "cool-darkness-123456", database: "neondb" });
});

test("a second component is made like the first", async () => {
  const [engine, monitor] = [await fakeEngine(), await fakeMonitor()];
  const components = new ComponentServer(program);
  const inputs = { projectId: "cool-darkness-123456", database: "neondb" };
  const make = (): Promise<pb.ConstructResponse> =>
    components.construct(request(monitor.address, inputs), engine.address);
  await make();
  expect((await make()).getUrn()).toContain("::orders");
});

test("when the command ends, a component that is being made is said to be incomplete", async () => {
  const [engine, monitor] = [await fakeEngine(), await fakeMonitor()];
  const components = new ComponentServer(program);
  // The engine never answers a resource whose work has failed.
  monitor.hold();
  const inputs = { projectId: "cool-darkness-123456", database: "neondb" };
  const made = components.construct(request(monitor.address, inputs), engine.address);
  await until(() => monitor.registered.length > 0);
  components.cancel();
  await expect(made).rejects.toThrow("it is not complete, because the command failed or was cancelled");
});

test("a program that does not start says so", async () => {
  const components = new ComponentServer(path.join(folder, "nothing-here.js"));
  await expect(components.construct(request("127.0.0.1:1", {}), undefined)).rejects.toThrow(
    "the process that makes components ended with 1",
  );
});

test("the process ends with the one that started it, however that ends", async () => {
  const parent = spawn(process.execPath, [
    "-e",
    `const child = require("node:child_process").fork(${JSON.stringify(program)}, [], {
       stdio: ["ignore", "pipe", "inherit", "ipc"] });
     child.stdout.once("data", () => console.log(child.pid));`,
  ]);
  const pid = await new Promise<number>((resolve) => {
    createInterface(parent.stdout).once("line", (line) => {
      resolve(Number(line));
    });
  });
  expect(process.kill(pid, 0)).toBe(true);
  parent.kill("SIGKILL");
  await until(() => {
    try {
      return !process.kill(pid, 0);
    } catch {
      return true;
    }
  });
});
