import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { once } from "node:events";
import * as aliases from "@pulumi/pulumi/proto/alias_pb";
import * as pb from "@pulumi/pulumi/proto/provider_pb";
import type { RegisterResourceRequest } from "@pulumi/pulumi/proto/resource_pb";
import { ComponentServer } from "../../provider/plugin/construct";
import { decode } from "../../provider/plugin/values";
import { fakeEngine, secretly, struct } from "./harness";
import { fakeMonitor, urnOf, type FakeMonitor } from "./monitor";

const DIST = path.join(__dirname, "..", "..", "dist");
const RUN = require.resolve("@pulumi/pulumi/cmd/run");
const TRAIL = "neon-bemi:index:BemiAuditTrail";
const [STACK, THING] = [urnOf("pulumi:pulumi:Stack", "shop-dev"), urnOf("shop:index:Thing", "first")];
const PROVIDER = `${urnOf("pulumi:providers:neon-bemi", "acme")}::acme-id`;

/** What the resources of a trail hand on to each other. */
const OUTPUTS = { username: "bemi", password: "s/e:c", host: "ep-a.neon.tech", port: 5432, fingerprint: "f" };

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "neon-bemi-graph-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** All that a registration says, except where in a program it was said. */
function said(request: RegisterResourceRequest): object {
  const { values, secrets } = decode(request.getObject());
  const place = { sourceposition: undefined, stacktrace: undefined, parentstacktracehandle: undefined };
  return { ...request.toObject(), ...place, object: values, secrets: [...secrets] };
}

function ofTrail({ registered }: FakeMonitor): object[] {
  return registered.filter((request) => request.getType().startsWith("neon-bemi:")).map(said);
}

/** Runs a JavaScript program as the host for Node programs does, and returns the registrations of the trail in it. */
async function inProcess(args: string, options: string): Promise<object[]> {
  const [engine, monitor] = [await fakeEngine(), await fakeMonitor(OUTPUTS)];
  writeFileSync(
    path.join(folder, "index.js"),
    `const pulumi = require(${JSON.stringify(require.resolve("@pulumi/pulumi"))});
     const { BemiAuditTrail, Provider } = require(${JSON.stringify(path.join(DIST, "components"))});
     const thing = new pulumi.CustomResource("shop:index:Thing", "first");
     const acme = new Provider("acme", { apiKey: "napi_secret" });
     new BemiAuditTrail("orders", ${args}, ${options});`,
  );
  const flags = {
    monitor: monitor.address,
    engine: engine.address,
    project: "shop",
    stack: "dev",
    parallel: "16",
  };
  const child = spawn(
    process.execPath,
    [RUN, ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`), "--pwd", folder, "."],
    { stdio: ["ignore", "inherit", "inherit"] },
  );
  expect(await once(child, "close")).toEqual([0, null]);
  return ofTrail(monitor);
}

/** Has the plugin construct the trail, as the engine does for programs in other languages. */
async function constructed(args: object): Promise<object[]> {
  const [engine, monitor] = [await fakeEngine(), await fakeMonitor(OUTPUTS)];
  const request = new pb.ConstructRequest()
    .setProject("shop")
    .setStack("dev")
    .setMonitorendpoint(monitor.address)
    .setParallel(16)
    .setType(TRAIL)
    .setName("orders")
    .setParent(STACK)
    .setInputs(struct(args))
    .setDependenciesList([THING])
    .setAliasesList([new aliases.Alias().setSpec(new aliases.Alias.Spec().setName("old"))])
    .setProtect(true);
  request.getProvidersMap().set("neon-bemi", PROVIDER);
  const components = new ComponentServer(path.join(DIST, "provider", "plugin", "constructServer.js"));
  await components.construct(request, engine.address);
  return ofTrail(monitor);
}

test("a TypeScript program and one in another language register the same resources of a trail", async () => {
  const args = {
    database: "neondb",
    tables: ["public.orders"],
    identity: { default: "full", tables: { "public.orders": "primaryKey" } },
    role: { name: "audit" },
    allowedIps: ["203.0.113.7"],
    adopt: true,
  };
  const text = JSON.stringify(args).slice(1);
  // In the protocol of construct, an option that is left out is false.
  const here = await inProcess(
    `{ projectId: pulumi.secret("cool-darkness-123456"), ${text}`,
    `{ provider: acme, dependsOn: thing, aliases: [{ name: "old" }], protect: true, retainOnDelete: false }`,
  );
  const elsewhere = await constructed({ projectId: secretly("cool-darkness-123456"), ...args });
  expect(here).toHaveLength(9);
  expect(elsewhere).toEqual(here);
});
