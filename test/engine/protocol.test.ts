import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { providerReference } from "../../components/binding";
import { startSandbox } from "../../sandbox";
import type { Sandbox } from "../../sandbox/sandbox";
import { Harness, type Values } from "../support/harness";

/** The folder with package.json. In it, the package resolves itself by its name, like an installed package. */
const REPOSITORY = path.resolve(__dirname, "../..");

const HANDLERS = [
  "logicalReplication",
  "apiRole",
  "ipAllow",
  "replicationRole",
  "readAccess",
  "replicaIdentity",
  "publication",
  "replicationSlot",
  "readiness",
];

function reference(handler: string): Values {
  return { __provider: providerReference(handler) };
}

let sandbox: Sandbox;
let harness: Harness;

beforeAll(async () => {
  sandbox = await startSandbox({});
  const { apiUrl, apiKey, sslRootCert } = sandbox.info;
  // The key comes from the stack configuration here. In the other tests of this folder it comes from the environment.
  harness = await Harness.start(
    REPOSITORY,
    { PGSSLROOTCERT: sslRootCert, NEON_API_KEY: "", NEON_API_URL: "" },
    { "neon:apiKey": apiKey, "neon:apiUrl": apiUrl },
  );
});

afterAll(async () => {
  await harness.stop();
  await sandbox.stop();
});

test.each(HANDLERS)("%s refuses wrong inputs and says what is wrong", async (handler) => {
  const { failures } = await harness.check(
    {},
    { ...reference(handler), projectId: "Not An Id", nonsense: 1 },
  );
  expect(failures.join("\n")).toMatch(/projectId: must be a Neon id/);
  expect(failures.join("\n")).toMatch(/nonsense/);
});

test("a resource can be created, read, compared, updated and deleted", async () => {
  const { projectId, database } = sandbox.info;
  const provider = reference("replicationRole");
  const inputs = { ...provider, projectId, database, name: "cdc", adopt: false, managedBy: "p/s/cdc" };
  await harness.create({ ...reference("logicalReplication"), projectId, database, mode: "enable" });

  const { id, state } = await harness.create(inputs);
  expect(id).toBe(`${projectId}/cdc`);
  expect(state).toMatchObject({ ...inputs, username: "cdc", created: true, host: "localhost" });

  const read = await harness.read(id, state);
  expect(read).toEqual({ id, state, inputs });

  expect(await harness.diff(id, state, inputs)).toEqual({ replaces: [], changes: 0 });
  const rotated = { ...inputs, passwordVersion: 2 };
  expect((await harness.diff(id, state, rotated)).replaces).toEqual([]);
  const updated = await harness.update(id, state, rotated);
  expect(updated["password"]).not.toBe(state["password"]);

  await harness.delete(id, updated);
  expect((await harness.read(id, updated)).id).toBe("");
  await harness.delete(id, updated);

  const said = harness.output.join("\n");
  for (const secret of [state["password"], updated["password"], sandbox.info.apiKey]) {
    expect(said).not.toContain(secret);
  }
});

test("prints an error without a stack", async () => {
  const { database } = sandbox.info;
  const before = harness.output.length;
  const inputs = {
    ...reference("logicalReplication"),
    projectId: "no-such-project",
    database,
    mode: "enable",
  };
  await expect(harness.create(inputs)).rejects.toThrow(/no-such-project/);
  await expect(
    harness.delete("x", {
      ...reference("replicationRole"),
      projectId: sandbox.info.projectId,
      database: 7,
      name: "x",
    }),
  ).rejects.toThrow();
  expect(harness.output.slice(before).filter((line) => /\s+at /.test(line))).toEqual([]);
});

test("says what to do if the package is not installed", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "neon-bemi-empty-"));
  const empty = await Harness.start(folder, {});
  try {
    const provider = providerReference("publication");
    await expect(empty.check({}, { __provider: provider })).rejects.toThrow(
      /pulumi-neon-bemi\/provider'[^]* - npm install\?/,
    );
  } finally {
    await empty.stop();
    await rm(folder, { recursive: true });
  }
});
