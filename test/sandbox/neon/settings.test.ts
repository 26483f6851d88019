import { Socket } from "node:net";
import { Client } from "pg";
import { allowedIps, connect, startBench, walLevel, type Bench } from "./harness";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(async () => {
  await bench.close();
});

async function settings(change: object, status = 200): Promise<void> {
  const reply = await bench.api("PATCH", bench.project, { project: { settings: change } });
  expect(reply.status).toBe(status);
}

describe("allowed_ips", () => {
  afterEach(() => settings({ allowed_ips: { ips: [], protected_branches_only: false } }));

  async function connectFrom(localAddress: string): Promise<void> {
    const { emulator, compute } = bench;
    const { port } = compute.address(emulator.branchId);
    const socket = new Socket();
    const dial = socket.connect.bind(socket);
    const client = new Client({
      host: "127.0.0.1",
      port,
      user: emulator.owner,
      password: new URL(emulator.ownerUri()).password,
      database: emulator.database,
      ssl: { rejectUnauthorized: false },
      stream: () => Object.assign(socket, { connect: () => dial({ host: "127.0.0.1", port, localAddress }) }),
    });
    client.on("error", () => undefined);
    await client.connect();
    await client.end();
  }

  test("replaces the list, and empties it if ips is left out", async () => {
    await settings({
      allowed_ips: { ips: ["203.0.113.7", "198.51.100.0/24"], protected_branches_only: true },
    });
    await settings({ allowed_ips: { ips: ["203.0.113.8"] } });
    expect(await allowedIps(bench)).toEqual({ ips: ["203.0.113.8"], protected_branches_only: false });
    await settings({ allowed_ips: { protected_branches_only: true } });
    expect(await allowedIps(bench)).toEqual({ ips: [], protected_branches_only: true });
  });

  test("stays as it is if a change does not name it", async () => {
    await settings({ allowed_ips: { ips: ["203.0.113.7"], protected_branches_only: false } });
    await settings({ block_vpc_connections: true });
    await bench.api("PATCH", bench.project, { project: { name: "renamed" } });
    expect(await allowedIps(bench)).toEqual({ ips: ["203.0.113.7"], protected_branches_only: false });
  });

  test("refuses new connections and keeps established ones", async () => {
    const { emulator } = bench;
    const client = await connect(bench, emulator.ownerUri());
    await settings({ allowed_ips: { ips: ["127.0.0.2"], protected_branches_only: false } });
    await connectFrom("127.0.0.2");
    await expect(connectFrom("127.0.0.3")).rejects.toThrow("not allowed to connect to this endpoint");
    expect((await client.query("SELECT 1")).rowCount).toBe(1);
    await client.end();

    await settings({ allowed_ips: { ips: ["127.0.0.2"], protected_branches_only: true } });
    await connectFrom("127.0.0.3");
    await settings({ block_public_connections: true });
    expect(emulator.admits(emulator.branchId, "127.0.0.2")).toBe(false);
    await settings({ block_public_connections: false });
  });

  test("admits nobody to a branch that does not exist", () => {
    expect(bench.emulator.admits("br-no-such-branch", "127.0.0.1")).toBe(false);
  });
});

// This test comes last, because the setting cannot be turned off again.
describe("logical replication", () => {
  test("restarts running servers, reaches idle ones at their next start, and stays on", async () => {
    const { emulator, compute } = bench;
    const { body: idle } = await bench.done("POST", `${bench.project}/branches`, {
      branch: { name: "idle" },
    });
    expect(compute.isRunning(idle.branch.id)).toBe(false);
    const client = await connect(bench, emulator.ownerUri());
    const change = { project: { settings: { enable_logical_replication: true } } };
    const { body } = await bench.api("PATCH", bench.project, change);
    expect(body.project.settings?.enable_logical_replication).toBe(true);
    expect(body.operations.map(({ action, status }) => [action, status])).toEqual([
      ["suspend_compute", "running"],
      ["start_compute", "scheduling"],
    ]);
    const refused = await bench.api("PATCH", bench.project, { project: { name: "now" } });
    expect([refused.status, refused.body.message]).toEqual([
      423,
      expect.stringContaining("running conflicting operations"),
    ]);
    await emulator.settled();
    expect(compute.isRunning(emulator.branchId)).toBe(true);
    expect(await walLevel(bench)).toBe("logical");
    await expect(client.query("SELECT 1")).rejects.toThrow();
    expect(compute.isRunning(idle.branch.id)).toBe(false);
    expect(await walLevel(bench, idle.branch.id)).toBe("logical");

    const again = await bench.api("PATCH", bench.project, change);
    expect([again.status, again.body.operations]).toEqual([200, []]);
    await settings({ enable_logical_replication: false }, 400);
    const { body: after } = await bench.api("GET", bench.project);
    expect(after.project.settings?.enable_logical_replication).toBe(true);
  });
});
