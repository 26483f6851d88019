import * as pulumi from "@pulumi/pulumi";
import { BemiAuditTrail, Branch, Provider, type BemiAuditTrailArgs } from "../../components";
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
  branchId: "br-own-123456",
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
    "shop",
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
  // The plugin fills it in from the URN.
  const filledIn = "managedBy" in definition.inputs.shape ? { managedBy: "from the URN" } : {};
  return definition.inputs.parse({ ...inputs, ...filledIn });
}

type Optional = Omit<BemiAuditTrailArgs, "schemas" | "tables" | "allTables">;
type Selection = Pick<BemiAuditTrailArgs, "schemas" | "tables" | "allTables">;

async function declare(
  args: Partial<Optional & Selection> = {},
  opts?: pulumi.ComponentResourceOptions,
): Promise<BemiAuditTrail> {
  registered = [];
  const all = { projectId: "p", database: "neondb", ...args } as BemiAuditTrailArgs;
  const trail = new BemiAuditTrail("orders", all, opts);
  await valueOf(trail.connection);
  // Resources that no output depends on are registered a few turns later.
  await new Promise((resolve) => setTimeout(resolve, 50));
  return trail;
}

function valueOf<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => output.apply(resolve));
}

function inputsOf(name: string): Record<string, unknown> {
  return registered.find((each) => each.name === name)?.inputs ?? {};
}

function types(): string[] {
  return registered.slice(1).map(({ type }) => type.replace("neon-bemi:index:", ""));
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
  });
  await declare({ tables: ["public.orders"] });
  expect(registered.find(({ type }) => type.endsWith("Publication"))?.inputs).not.toHaveProperty("schemas");
});

test("hands identity to everything that depends on the identities of tables", async () => {
  const identity = { tables: { "public.documents": "primaryKey" } } as const;
  await declare({ identity });
  const given = registered.filter(({ inputs }) => "identity" in inputs).map(({ name }) => name);
  expect(given).toEqual(["orders-identity", "orders-publication", "orders-readiness"]);
  const expected = { default: "full", ...identity };
  for (const name of given) expect(inputsOf(name)["identity"]).toEqual(expected);
  expect(inputsOf("orders-replication")["preflight"]).toMatchObject({ identity: expected });
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

test("hands over what of the connection is no secret beside it", async () => {
  const { endpoint } = await declare();
  expect(await pulumi.isSecret(endpoint)).toBe(false);
  expect(await valueOf(endpoint)).toEqual({
    host: "ep-a.neon.tech",
    port: 5432,
    database: "neondb",
    username: "bemi",
  });
});

test("gives each resource a short name of its own, and names two of them for the preflight", async () => {
  await declare({ allowedIps: ["203.0.113.7"] });
  expect(registered.slice(1).map(({ name }) => name)).toEqual([
    "orders-replication",
    "orders-role",
    "orders-access",
    "orders-identity",
    "orders-publication",
    "orders-slot",
    "orders-readiness",
    "orders-ip-allow",
  ]);
  expect(registered.find(({ name }) => name === "orders-replication")?.inputs["preflight"]).toMatchObject({
    roleManagedBy: "shop/production/orders-role",
    publicationManagedBy: "shop/production/orders-publication",
  });
});

test("names the role by its argument: its output is not known while a preview replaces the role", async () => {
  await declare({ role: { name: "reader" } });
  // The mocks answer with another name, so that an output of the role shows.
  expect(COMPUTED.username).not.toBe("reader");
  for (const name of ["orders-access", "orders-slot", "orders-readiness"])
    expect([name, inputsOf(name)["role"]]).toEqual([name, "reader"]);
});

test("takes addresses that are known only later, because only whether they are given decides", async () => {
  await declare({ allowedIps: pulumi.output(["203.0.113.7"]) });
  expect(registered.find(({ type }) => type.endsWith("IpAllow"))?.inputs["ips"]).toEqual(["203.0.113.7"]);
});

test("resources are the plugin's: no argument is filled in here, and nothing of a dynamic provider", async () => {
  await declare({ allowedIps: ["203.0.113.7"] });
  for (const { type, inputs } of registered) {
    expect(type).toMatch(/^neon-bemi:index:[A-Z]\w+$/);
    expect(inputs).not.toHaveProperty("__provider");
  }
});

describe("migrations", () => {
  const args = {
    database: pulumi.output("my shop"),
    migrations: { command: "npx prisma migrate deploy", triggers: ["1", { hash: 2 }] },
  };

  test("run after logical replication and before everything that needs their tables", async () => {
    await declare(args);
    expect(types().slice(0, 3)).toEqual(["LogicalReplication", "command:local:Command", "ReplicationRole"]);
    const [replication, command] = registered.slice(1);
    expect(replication?.inputs["preflight"]).toMatchObject({ migrations: true });
    expect(command).toEqual({
      type: "command:local:Command",
      name: "orders-migrations",
      inputs: {
        create: "npx --no neon-bemi exec --redact",
        environment: {
          NEON_BEMI_PROJECT_ID: "p",
          NEON_BEMI_DATABASE: "my shop",
          NEON_BEMI_COMMAND: "npx prisma migrate deploy",
        },
        triggers: ["1", { hash: 2 }],
      },
    });
  });

  /** What the four kinds get that look at the tables. */
  function fingerprints(): unknown[] {
    return registered.flatMap(({ inputs }) => ("migrations" in inputs ? [inputs["migrations"]] : []));
  }

  test("make read access, identities, publication and readiness look again when they change", async () => {
    await declare(args);
    const before = fingerprints();
    expect(before).toHaveLength(4);
    expect(new Set(before.map((each) => JSON.stringify(each))).size).toBe(1);
    await declare({ ...args, migrations: { ...args.migrations, triggers: ["2"] } });
    expect(fingerprints()).not.toEqual(before);
    await declare({ ...args, migrations: { ...args.migrations, command: "npm run migrate" } });
    expect(fingerprints()).not.toEqual(before);
    await declare();
    expect(fingerprints()).toEqual([]);
  });

  test.each([
    [{ command: "" }, "migrations.command must not be empty"],
    [{}, "migrations.command is required: the command that migrates the database"],
    [{ command: "c", dir: "d" }, "migrations.dir is not an argument"],
    [{ command: "c", triggers: "1" }, "migrations.triggers must be a list"],
    [
      { command: "c", triggers: [new pulumi.asset.FileArchive("sql")] },
      "orders-migrations cannot have an asset or an archive among its triggers. Give a hash of the files instead.",
    ],
  ])("refuse %j", async (migrations, message) => {
    const wrong = { migrations } as unknown as Parameters<typeof declare>[0];
    await expect(declare(wrong)).rejects.toThrow(message);
  });
});

test("an explicit provider keeps its key secret", async () => {
  registered = [];
  const provider = new Provider("other-account", { apiKey: "napi_other" });
  await valueOf(provider.urn);
  const [made] = registered;
  expect(made?.type).toBe("pulumi:providers:neon-bemi");
  expect(JSON.stringify(made?.inputs)).toContain("napi_other");
  expect(made?.inputs["apiKey"]).not.toBe("napi_other");
});

describe("on a branch that the program makes", () => {
  async function trailOn(args: Partial<Optional>): Promise<void> {
    registered = [];
    const branch = new Branch("preview", { projectId: "p", name: "pr-7" });
    const all = { projectId: "p", database: "neondb", branch, ...args } as BemiAuditTrailArgs;
    await valueOf(new BemiAuditTrail("orders", all).connection);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }

  function inputsOf(type: string) {
    return registered.find((each) => each.type.endsWith(`:${type}`))?.inputs;
  }

  test("every resource is about its id, and what came along with the copy is taken over", async () => {
    await trailOn({});
    const placed = registered.filter(({ inputs }) => "database" in inputs);
    expect(placed).toHaveLength(7);
    expect(placed.filter(({ inputs }) => inputs["branch"] !== "br-own-123456")).toEqual([]);
    expect(inputsOf("ReplicationRole")).toMatchObject({ adopt: true });
    expect(inputsOf("Publication")).toMatchObject({ adopt: true });
    expect(inputsOf("LogicalReplication")).toMatchObject({ preflight: { adopt: true } });
  });

  test("a role of the API gets a new password, and adopt: false is respected", async () => {
    await trailOn({ role: { createdBy: "api" }, adopt: false });
    expect(inputsOf("ApiRole")).toMatchObject({ adopt: false, renewPassword: true });
    expect(inputsOf("Publication")).toMatchObject({ adopt: false });
  });

  test("named as text, adopts nothing and renews no password", async () => {
    await trailOn({ branch: "pr-7", role: { createdBy: "api" } });
    expect(inputsOf("ApiRole")).toMatchObject({ branch: "pr-7", adopt: false });
    expect(inputsOf("ApiRole")).not.toHaveProperty("renewPassword");
  });
});
