import * as pulumi from "@pulumi/pulumi";
import { BemiAuditTrail, type BemiAuditTrailArgs } from "../../components";
import { definitions } from "../../provider/contract/kinds";

interface Registered {
  type: string;
  name: string;
  inputs: Record<string, unknown>;
}

let registered: Registered[] = [];

/** Outputs that the component reads. */
const COMPUTED = {
  username: "bemi",
  password: "s/e:c",
  host: "ep-a.neon.tech",
  port: 5432,
  fingerprint: "f",
};

beforeAll(async () => {
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, ...rest }) => {
        const inputs = checked(type, rest.inputs as Record<string, unknown>);
        registered.push({ type, name, inputs });
        return {
          id: name,
          state: { ...inputs, ...COMPUTED },
        };
      },
      call: () => ({}),
    },
    "neon-bemi",
    "production",
  );
});

afterAll(async () => {
  await pulumi.runtime.disconnect();
});

/** The inputs as the provider's check returns them, defaults included; the engine calls it before anything else. */
function checked(type: string, inputs: Record<string, unknown>): Record<string, unknown> {
  const definition = definitions.find((candidate) => type.endsWith(`:${candidate.type}`));
  if (definition === undefined) return inputs;
  const { __provider, ...given } = inputs;
  return { ...definition.inputs.parse(given), __provider };
}

async function declare(args: Partial<BemiAuditTrailArgs> = {}): Promise<BemiAuditTrail> {
  registered = [];
  const trail = new BemiAuditTrail("orders", { projectId: "p", database: "neondb", ...args });
  await valueOf(trail.connection);
  // Resources that no output depends on are registered a few turns later.
  await new Promise((resolve) => setTimeout(resolve, 50));
  return trail;
}

function valueOf<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => output.apply(resolve));
}

function types(): string[] {
  return registered.slice(1).map(({ type }) => type.replace("pulumi-nodejs:dynamic/neon-bemi:", ""));
}

test("declares its resources in the order that never breaks the application", async () => {
  await declare({ allowedIps: ["203.0.113.7"] });
  expect(types()).toEqual([
    "LogicalReplication",
    "ReplicationRole",
    "ReadAccess",
    "ReplicaIdentity",
    "Publication",
    "ReplicationSlot",
    "Readiness",
    "IpAllow",
  ]);
});

test("leaves IP Allow alone unless told, and takes a role made through the API on request", async () => {
  await declare({ role: { createdBy: "api" } });
  expect(types()).toEqual([
    "LogicalReplication",
    "ApiRole",
    "ReplicaIdentity",
    "Publication",
    "ReplicationSlot",
    "Readiness",
  ]);
});

test("tracks the schema public unless told otherwise", async () => {
  await declare();
  expect(registered.find(({ type }) => type.endsWith("Publication"))?.inputs).toMatchObject({
    name: "bemi",
    schemas: ["public"],
    trackNewTables: true,
    adopt: false,
    managedBy: "neon-bemi/production/orders-publication",
  });
  await declare({ tables: ["public.orders"] });
  expect(registered.find(({ type }) => type.endsWith("Publication"))?.inputs).not.toHaveProperty("schemas");
});

test("hands over the fields of Bemi's dialog as one secret, with a URI that survives any password", async () => {
  const { connection } = await declare({ environment: "Staging" });
  expect(await pulumi.isSecret(connection)).toBe(true);
  expect(await valueOf(connection)).toEqual({
    host: "ep-a.neon.tech",
    port: 5432,
    database: "neondb",
    username: "bemi",
    password: "s/e:c",
    environment: "Staging",
    uri: "postgresql://bemi:s%2Fe%3Ac@ep-a.neon.tech:5432/neondb?sslmode=require",
  });
});

test("keeps a self-hosted worker from making a publication of its own", async () => {
  const { debezium } = await declare();
  expect(await valueOf(debezium)).toEqual({
    "debezium.source.plugin.name": "pgoutput",
    "debezium.source.slot.name": "bemi",
    "debezium.source.publication.name": "bemi",
    "debezium.source.publication.autocreate.mode": "disabled",
  });
});

test("the provider reference stays short and finds the handler by name", async () => {
  await declare();
  for (const { inputs } of registered.slice(1)) {
    const reference = inputs["__provider"] as string;
    expect(reference.length).toBeLessThan(200);
    expect(reference).toMatch(/\("pulumi-neon-bemi\/provider"\)\.[a-z][A-Za-z]+\}/);
  }
});
