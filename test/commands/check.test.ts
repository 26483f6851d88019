import { check, trailByArguments, type TrailToCheck } from "../../commands/check/check";
import { see } from "../../commands/plan/look";
import type { RoleOutputs } from "../../provider/contract/fields/role";
import { DEFAULT_THRESHOLDS, type Thresholds } from "../../report/check/facts";
import type { CheckFinding } from "../../report/check/findings";
import { wasSeen } from "../../report/plan/facts";
import { startConsumer, type Consumer } from "../../tools/start/consumer";
import { settings } from "../report/facts";
import { query, startBench, type Bench } from "../sandbox/neon/harness";
import type { EngineState } from "../support/engine";
import { DEFAULT_VERSION } from "../support/postgres";
import { liveRun, type LoggedRun } from "../support/run";
import { Trail } from "../support/trail";
import { ROLE_BY_API } from "../support/trailRole";
import { until } from "../support/until";

/** Bemi's address: not this machine's, so that a missing entry does not end the test's own connections. */
const BEMI_ADDRESS = "203.0.113.7";

let bench: Bench;
let trail: Trail;
let consumer: Consumer | undefined;

beforeAll(async () => {
  // Event triggers would publish a table again that a row takes out.
  bench = await startBench({ pace: 10 });
  await bench.done("PATCH", bench.project, { project: { settings: { enable_logical_replication: true } } });
  await allow([BEMI_ADDRESS, "127.0.0.1"]);
  await superuser("CREATE DATABASE other OWNER neondb_owner");
  await query(
    bench,
    bench.emulator.ownerUri(),
    "CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE notes (note text)",
  );
  trail = new Trail(newRun);
  await trail.up({ ...target(), schemas: ["public"], trackNewTables: false });
  await connectConsumer();
});

afterAll(async () => {
  await consumer?.stop();
  await bench.close();
});

function newRun(): LoggedRun {
  const { apiUrl, apiKey } = bench.emulator;
  return liveRun({ apiUrl, apiKey, sslRootCert: bench.compute.sslRootCert });
}

function target(): { projectId: string; database: string } {
  const { projectId, database } = bench.emulator;
  return { projectId, database };
}

function superuser(statement: string): Promise<object[]> {
  return bench.compute.sql(bench.emulator.branchId, statement, undefined, bench.emulator.database);
}

function allow(ips: readonly string[]): Promise<unknown> {
  return bench.done("PATCH", bench.project, {
    project: { settings: { allowed_ips: { ips, protected_branches_only: false } } },
  });
}

async function connectConsumer(): Promise<void> {
  const { host = "", port = 0, username = "", password = "" } = roleOutputs();
  const { database } = bench.emulator;
  consumer = await startConsumer({
    connection: { host, port, database, username, password },
    publication: "bemi",
    slot: "bemi",
    sslRootCert: bench.compute.sslRootCert,
  });
  await until(async () => (await slot())?.active === true);
}

async function disconnectConsumer(): Promise<void> {
  await consumer?.stop();
  consumer = undefined;
}

async function slot(): Promise<{ active: boolean; wal_status: string } | undefined> {
  const [row] = await superuser(
    "SELECT active, wal_status FROM pg_replication_slots WHERE slot_name = 'bemi'",
  );
  return row as { active: boolean; wal_status: string } | undefined;
}

function roleOutputs(): Partial<RoleOutputs> {
  return (trail.state["role"] ?? trail.state["apiRole"])?.outputs ?? {};
}

/** The trail as a stack's state has it. */
function inStack(state: EngineState = trail.state): TrailToCheck {
  const types: Readonly<Record<string, string>> = {
    role: "ReplicationRole",
    apiRole: "ApiRole",
    access: "ReadAccess",
    identity: "ReplicaIdentity",
    publication: "Publication",
    slot: "ReplicationSlot",
    readiness: "Readiness",
  };
  const sql = Object.entries(state).map(([name, { inputs, outputs }]) => ({
    urn: name,
    type: types[name] ?? "",
    name: `orders-${name}`,
    inputs,
    outputs,
    drift: [],
  }));
  const ips = { projectId: bench.emulator.projectId, ips: [BEMI_ADDRESS] };
  const list = { urn: "list", type: "IpAllow", name: "orders-ip-allow", inputs: ips, outputs: {}, drift: [] };
  return { trail: { name: "orders", resources: [...sql, list] }, settings: {} };
}

interface Outcome {
  readonly exitCode: number;
  readonly codes: readonly string[];
  readonly output: string;
}

async function checked(
  trails: readonly TrailToCheck[] = [inStack()],
  thresholds: Partial<Thresholds> = {},
): Promise<Outcome> {
  const run = newRun();
  try {
    const { output, exitCode } = await check(
      { trails, format: "json", thresholds: { ...DEFAULT_THRESHOLDS, ...thresholds } },
      () => run,
    );
    const { trails: reports } = JSON.parse(output) as { trails: { findings?: CheckFinding[] }[] };
    return {
      exitCode,
      output,
      codes: reports.flatMap(({ findings = [] }) => findings.map(({ code }) => code)),
    };
  } finally {
    await run.end();
  }
}

/** What happens to a trail, what one check says then, and how the trail gets back to life. */
interface Row {
  readonly happens: string;
  readonly break: () => Promise<unknown>;
  readonly exitCode: number;
  readonly codes: readonly string[];
  readonly thresholds?: Partial<Thresholds>;
  readonly repair: () => Promise<unknown>;
}

const ROWS: readonly Row[] = [
  {
    happens: "nothing",
    break: () => Promise.resolve(),
    exitCode: 0,
    codes: [],
    repair: () => Promise.resolve(),
  },
  {
    happens: "the consumer went a moment ago",
    break: disconnectConsumer,
    exitCode: 1,
    codes: ["NB606"],
    repair: connectConsumer,
  },
  {
    happens: "the consumer is away for longer than it may be",
    break: disconnectConsumer,
    // Before PostgreSQL 17, nothing says since when a slot has no consumer.
    exitCode: DEFAULT_VERSION < 17 ? 1 : 2,
    codes: ["NB606"],
    thresholds: { maxIdleMinutes: 0 },
    repair: connectConsumer,
  },
  {
    happens: "the slot is lost",
    break: async () => {
      await disconnectConsumer();
      await superuser("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
      await superuser("SELECT pg_reload_conf()");
      await until(async () => {
        await superuser("SELECT pg_logical_emit_message(false, 'test', 'x'), pg_switch_wal()");
        await superuser("CHECKPOINT");
        return (await slot())?.wal_status === "lost";
      });
    },
    exitCode: 2,
    codes: ["NB604"],
    repair: async () => {
      await superuser("ALTER SYSTEM RESET max_slot_wal_keep_size");
      await superuser("SELECT pg_reload_conf()");
      await superuser("SELECT pg_drop_replication_slot('bemi')");
      await connectConsumer();
    },
  },
  {
    happens: "there is no slot",
    break: async () => {
      await disconnectConsumer();
      await superuser("SELECT pg_drop_replication_slot('bemi')");
    },
    exitCode: 2,
    codes: ["NB603"],
    repair: connectConsumer,
  },
  {
    happens: "the slot is one of another database",
    break: async () => {
      await disconnectConsumer();
      await superuser("SELECT pg_drop_replication_slot('bemi')");
      await bench.compute.sql(
        bench.emulator.branchId,
        "SELECT pg_create_logical_replication_slot('bemi', 'pgoutput')",
        undefined,
        "other",
      );
    },
    exitCode: 2,
    codes: ["NB605"],
    repair: async () => {
      await superuser("SELECT pg_drop_replication_slot('bemi')");
      await connectConsumer();
    },
  },
  {
    happens: "the slot holds back more than it may",
    break: () => Promise.resolve(),
    exitCode: 1,
    codes: ["NB607"],
    thresholds: { maxRetainedMb: 0 },
    repair: () => Promise.resolve(),
  },
  {
    happens: "the publication was dropped",
    break: async () => {
      await disconnectConsumer();
      await superuser("DROP PUBLICATION bemi");
    },
    exitCode: 2,
    codes: ["NB601", "NB606"],
    repair: async () => {
      await trail.up({ ...target(), schemas: ["public"], trackNewTables: false });
      await connectConsumer();
    },
  },
  {
    happens: "a new table is not tracked",
    break: () => query(bench, bench.emulator.ownerUri(), "CREATE TABLE payouts (id int PRIMARY KEY)"),
    exitCode: 1,
    codes: ["NB602"],
    repair: () => superuser("DROP TABLE payouts"),
  },
  ROLE_BY_API
    ? {
        happens: "the role has another password, and Neon has dropped the consumer's connection",
        break: async () => {
          await disconnectConsumer();
          await bench.done("POST", `${bench.branch}/roles/bemi/reset_password`);
        },
        exitCode: 2,
        codes: ["NB609", "NB606"],
        repair: async () => {
          await trail.up({ ...target(), schemas: ["public"], trackNewTables: false });
          await connectConsumer();
        },
      }
    : {
        happens: "the role has another password",
        break: () => superuser("ALTER ROLE bemi PASSWORD 'somebody-else-s-2026'"),
        exitCode: 2,
        codes: ["NB609"],
        repair: () => superuser(`ALTER ROLE bemi PASSWORD '${roleOutputs().password ?? ""}'`),
      },
  {
    happens: "Bemi's address was taken off the IP Allow list",
    break: () => allow(["127.0.0.1"]),
    exitCode: 2,
    codes: ["NB610"],
    repair: () => allow([BEMI_ADDRESS, "127.0.0.1"]),
  },
  // Neon gives a role of its API its memberships and privileges, so the module does not look at them.
  ...(ROLE_BY_API
    ? []
    : [
        {
          happens: "the role has become a member of another one",
          break: () => superuser("GRANT pg_read_all_settings TO bemi"),
          exitCode: 1,
          codes: ["NB611"],
          repair: () => superuser("REVOKE pg_read_all_settings FROM bemi"),
        },
      ]),
  {
    happens: "the server no longer logs for logical replication",
    break: async () => {
      const { branchId } = bench.emulator;
      await disconnectConsumer();
      // A server with a logical slot does not start at a lower wal_level.
      await superuser("SELECT pg_drop_replication_slot('bemi')");
      bench.compute.setWalLevel(branchId, "replica");
      await bench.compute.stop(branchId);
      await bench.compute.start(branchId);
    },
    exitCode: 2,
    codes: ["NB601", "NB603"],
    repair: async () => {
      const { branchId } = bench.emulator;
      bench.compute.setWalLevel(branchId, "logical");
      await bench.compute.stop(branchId);
      await bench.compute.start(branchId);
      await connectConsumer();
    },
  },
];

test.each(ROWS)("exits with $exitCode and $codes: $happens", async (row) => {
  await row.break();
  try {
    const { exitCode, codes, output } = await checked([inStack()], row.thresholds);
    expect({ exitCode, codes, output }).toEqual({ exitCode: row.exitCode, codes: row.codes, output });
    expect(output).not.toContain(roleOutputs().password);
  } finally {
    await row.repair();
  }
});

test("checks a trail by its arguments, without its password", async () => {
  const named = { role: "bemi", publication: "bemi", slot: "bemi", allowedIps: [BEMI_ADDRESS] };
  const { exitCode, output } = await checked([trailByArguments({ ...target(), ...named })]);
  expect(exitCode).toBe(1);
  expect(JSON.parse(output)).toMatchObject({
    status: "degraded",
    trails: [
      {
        login: "not tried",
        tables: { selected: 2, published: 2, full: 2 },
        slot: { active: true, role: "bemi", senderTimeout: "1min" },
      },
    ],
  });
});

test("exits with 3 if the trail could not be looked at, and with 2 if another one is dead", async () => {
  const named = { role: "bemi", publication: "bemi", slot: "bemi" };
  const unreachable = trailByArguments({ ...target(), database: "nope", ...named });
  expect(await checked([unreachable])).toMatchObject({
    exitCode: 3,
    output: expect.stringContaining('no database \\"nope\\"') as string,
  });
  const dead = trailByArguments({ ...target(), ...named, slot: "other" });
  expect(await checked([unreachable, dead])).toMatchObject({ exitCode: 2 });
});

test("only reads, like the look of a report: GET requests, and no transaction id", async () => {
  const nextId = (): Promise<object[]> => superuser("SELECT pg_snapshot_xmax(pg_current_snapshot()) AS next");
  const before = await nextId();
  const run = newRun();
  const calls = await bench.callsOf(async () => {
    await checked();
    const found = await see(settings(target()), () => run);
    expect(wasSeen(found) && found.catalog.tables.every(({ oid }) => found.statistics.tables.has(oid))).toBe(
      true,
    );
  });
  await run.end();
  expect(calls.filter((call) => !call.startsWith("GET "))).toEqual([]);
  expect(await nextId()).toEqual(before);
});
