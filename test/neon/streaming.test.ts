import { apiRole } from "../../provider/neon";
import { ipAllowKind } from "../../provider/neon/ipAllow/ipAllow";
import { replicationRole } from "../../provider/postgres";
import { startConsumer, type ConsumerOptions } from "../../tools/start/consumer";
import { query, startBench, type Bench } from "../sandbox/neon/harness";
import { testWith } from "../support/features";
import { expectCareful } from "../support/requestLog";
import { Resource } from "../support/resource";
import { liveRun } from "../support/run";
import { fastClock } from "./clocks";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench({ pace: 10 });
  await bench.done("PATCH", bench.project, { project: { settings: { enable_logical_replication: true } } });
  await query(
    bench,
    bench.emulator.ownerUri(),
    "CREATE TABLE orders (id int PRIMARY KEY); CREATE PUBLICATION bemi FOR TABLE orders",
  );
});
afterAll(async () => {
  const log = bench.log();
  await bench.close();
  expectCareful(log);
});

test("streams from an allowed address, and refuses another with Neon's message", async () => {
  const { apiUrl, apiKey, projectId, database } = bench.emulator;
  const { sslRootCert } = bench.compute;
  const clock = fastClock(100);
  const newRun = () => liveRun({ apiUrl, apiKey, sslRootCert, clock });
  const role = new Resource(apiRole, newRun);
  await role.up({ projectId, database, name: "bemi", adopt: false });
  const { username = "", password = "", host = "", port = 0 } = role.state ?? {};

  const consumer = (localAddress: string): ConsumerOptions => ({
    connection: { host, port, database, username, password },
    publication: "bemi",
    slot: "bemi",
    sslRootCert,
    localAddress,
  });
  const ipAllow = new Resource(ipAllowKind(clock), newRun);
  // The statements of this test come from the second address.
  await ipAllow.up({
    projectId,
    ips: ["127.0.0.7", "127.0.0.1"],
    restrictOpenProject: true,
    openRestrictedProject: false,
  });

  const allowed = await startConsumer(consumer("127.0.0.7"));
  try {
    await expect(startConsumer(consumer("127.0.0.8"))).rejects.toThrow(
      /^This IP address 127\.0\.0\.8 is not allowed to connect to this endpoint\. Please add it to the allowed list in the Neon console\./,
    );
    await query(
      bench,
      bench.emulator.ownerUri(),
      "INSERT INTO orders VALUES (1); SELECT pg_logical_emit_message(true, 'test', 'end')",
    );
    await allowed.reached("end", 20_000);
    expect(allowed.changes).toMatchObject([{ table: "public.orders" }]);
  } finally {
    await allowed.stop();
  }

  await ipAllow.destroy();
  const another = await startConsumer(consumer("127.0.0.8"));
  await another.stop();
});

testWith("owner that makes Bemi's role in SQL")(
  "a role that Neon makes out of an up whose answer was lost is recognised, and deleted in Neon",
  async () => {
    const { apiUrl, apiKey, projectId, database, endpointId } = bench.emulator;
    const newRun = () => liveRun({ apiUrl, apiKey, sslRootCert: bench.compute.sslRootCert });
    const lost = { kind: "controlPlane", outcome: "ghost", role: "ghost", ms: 20 };
    bench.emulator.setFaults({ faults: [{ on: "roles", times: 2, fault: lost }] });
    const role = new Resource(replicationRole, newRun);
    const inputs = { projectId, database, name: "ghost", adopt: false, managedBy: "shop/dev/orders" };
    await expect(role.up(inputs)).rejects.toThrow(/control plane did not answer at creating role "ghost"/);
    bench.emulator.setFaults({ faults: [] });
    await bench.done("POST", `${bench.project}/endpoints/${endpointId}/restart`);
    await expect(role.up(inputs)).rejects.toThrow(
      /"ghost" exists already and was made by Neon.*delete it in Neon/,
    );
    await bench.done("DELETE", `${bench.branch}/roles/ghost`);
    await role.up(inputs);
    expect(role.state).toMatchObject({ created: true, username: "ghost" });
    await role.destroy();
  },
);
