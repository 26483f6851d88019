import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startBench, query } from "./harness";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "emulator-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function script(value: unknown): string {
  const path = join(folder, "faults.json");
  writeFileSync(path, JSON.stringify(value));
  return path;
}

test("gives the owner and API roles what Neon's patches allow, and no more, in the neon profile", async () => {
  const rule = { method: "GET", route: "/users/me", fault: { kind: "answer", status: 503 } };
  const bench = await startBench({ profile: "neon", faults: script({ faults: [rule] }) });
  try {
    const owner = bench.emulator.ownerUri();
    await query(bench, owner, "CREATE PUBLICATION everything FOR ALL TABLES");
    const { body } = await bench.done("POST", `${bench.branch}/roles`, { role: { name: "plain" } });
    const uri = new URL(owner);
    uri.username = "plain";
    uri.password = body.role.password ?? "";
    await query(bench, uri.href, "CREATE PUBLICATION more FOR ALL TABLES");
    const attributes = "SELECT rolsuper FROM pg_roles WHERE rolname IN ('neondb_owner', 'plain')";
    expect(await query(bench, owner, attributes)).toEqual([{ rolsuper: false }, { rolsuper: false }]);
    // The fault script of the start is active.
    expect((await bench.api("GET", "/users/me")).status).toBe(503);
    expect((await bench.api("GET", "/users/me")).status).toBe(200);
  } finally {
    await bench.close();
  }
});

test("refuses to start with an invalid fault script and says where it is wrong", async () => {
  await expect(startBench({ faults: script({ faults: [{ method: "GET" }] }) })).rejects.toThrow("route");
});

test("close ends waiting operations, and may be called twice", async () => {
  const bench = await startBench();
  try {
    const stuck = { kind: "operation", outcome: "stuck" };
    bench.emulator.setFaults({ faults: [{ method: "*", route: "*", fault: stuck }] });
    await bench.api("POST", `${bench.branch}/roles`, { role: { name: "never" } });
    await bench.emulator.close();
    await bench.emulator.close();
    await expect(bench.api("GET", bench.project)).rejects.toThrow();
  } finally {
    await bench.close();
  }
});
