import { Client } from "pg";
import type { Clock } from "../../../provider/contract/clock";
import type { AnyKind } from "../../../provider/contract/kind";
import { apiRole, logicalReplicationKind } from "../../../provider/neon";
import { ipAllowKind } from "../../../provider/neon/ipAllow/ipAllow";
import * as sql from "../../../provider/postgres";
import { allowListFacts, catalogFacts } from "../../../tools/start/catalogs";
import { fastClock } from "../../neon/clocks";
import { allowedIps, startBench, type Bench } from "../../sandbox/neon/harness";
import { catalogState, differences, uriTo, type Fact } from "../../support/catalogState";
import { sweep } from "../../support/faultSweep";
import { FaultyMessages } from "../../support/faultyMessages";
import { PluginStack, type Declared } from "../../support/pluginStack";
import { testWith } from "../../support/features";
import { ROLE_MADE_BY, runSql } from "../../support/postgres";
import { expectCareful } from "../../support/requestLog";
import { liveRun } from "../../support/run";

/*
 * A fault at each message of up, change and destroy: each login, each SQL statement and each request to Neon's API, as a
 * run without faults has sent them. `test/engine/interruption.test.ts` has the real CLI, at fewer points.
 */

const DATABASE = `
  CREATE SCHEMA sales;
  CREATE TABLE by_index (id int PRIMARY KEY, code text NOT NULL); CREATE UNIQUE INDEX by_code ON by_index (code);
  ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_code;
  CREATE TABLE by_nothing (id int); ALTER TABLE by_nothing REPLICA IDENTITY NOTHING;
  CREATE TABLE by_full (id int); ALTER TABLE by_full REPLICA IDENTITY FULL;
  CREATE TABLE sales.deals (id int PRIMARY KEY);`;
const LIST = { ips: ["198.51.100.1", "127.0.0.0/8"], protected_branches_only: true };
const MINUTES = 60_000;

/** Neon's operations take the sandbox real time, and a run waits for each at most five minutes of this clock. */
const CLOCK = fastClock(60);

let bench: Bench;
let messages: FaultyMessages;
let superuser: Client | undefined;

beforeAll(async () => {
  bench = await startBench({ pace: 5 });
  messages = await FaultyMessages.open(bench.emulator.apiUrl);
  await bench.done("PATCH", bench.project, { project: { settings: { enable_logical_replication: true } } });
});
afterAll(async () => {
  const log = bench.log();
  await superuser?.end();
  await messages.close();
  await bench.close();
  expectCareful(log);
});

/** Makes the database anew, and the IP Allow list what it was. */
async function begin(kinds: object): Promise<PluginStack> {
  const { database, branchId } = bench.emulator;
  const superuserUri = bench.compute.superuserUri(branchId, "postgres");
  await superuser?.end();
  await runSql(superuserUri, `DROP DATABASE ${database} WITH (FORCE)`);
  await runSql(superuserUri, "DROP ROLE IF EXISTS bemi");
  await runSql(superuserUri, `CREATE DATABASE ${database} OWNER neondb_owner`);
  superuser = new Client({ connectionString: uriTo(superuserUri, database) });
  await superuser.connect();
  await superuser.query(`SET ROLE neondb_owner; ${DATABASE} RESET ROLE`);
  await bench.done("PATCH", bench.project, { project: { settings: { allowed_ips: LIST } } });
  return newStack(kinds);
}

function newStack(kinds: object, clock = CLOCK): PluginStack {
  const { apiUrl } = messages;
  const { apiKey } = bench.emulator;
  const { sslRootCert } = bench.compute;
  return new PluginStack(
    kinds as Readonly<Record<string, AnyKind>>,
    () => liveRun({ apiUrl, apiKey, sslRootCert, clock }),
    () => !messages.dead,
  );
}

/** Catalogs and IP Allow list, without oids and the random ids of marks. */
async function facts(): Promise<Fact[]> {
  if (superuser === undefined) throw new Error("no database");
  const { ips = [], protected_branches_only: protectedBranchesOnly = false } =
    (await allowedIps(bench)) ?? {};
  const found = [...(await catalogFacts(superuser)), ...allowListFacts({ ips, protectedBranchesOnly })];
  return alike(found);
}

function alike(found: readonly Fact[]): Fact[] {
  const text = JSON.stringify(found);
  const same = text.replaceAll(/\b\d{5}\b/g, "0").replaceAll(/(\\+"id\\+":\\+")[0-9a-f]{16}/g, "$1");
  return JSON.parse(same) as Fact[];
}

/** A trail, for several on one project. */
interface Place {
  readonly projectId: string;
  readonly database: string;
  /** Of role, publication and slot. */
  readonly name: string;
  readonly entry: string;
}

function placeHere(): Place {
  const { projectId, database } = bench.emulator;
  return { projectId, database, name: "bemi", entry: "203.0.113.7" };
}

const trailKinds = (clock: Clock) => ({
  replication: logicalReplicationKind(clock, sql.inspect),
  role: ROLE_MADE_BY === "sql" ? sql.replicationRole : sql.withVerifiedLogin(apiRole),
  access: sql.readAccess,
  identity: sql.replicaIdentity,
  publication: sql.publication,
  slot: sql.replicationSlot,
  readiness: sql.readiness,
  list: ipAllowKind(clock),
});

/** What the component declares, in its order. */
function trail(changed: boolean, { projectId, database, name, entry } = placeHere()): Declared {
  const target = { projectId, database };
  const selected = changed
    ? { ...target, schemas: ["public"], excludeTables: ["public.by_nothing"] }
    : { ...target, schemas: ["public", "sales"] };
  const ips = changed ? [entry, "203.0.113.9"] : [entry];
  return {
    replication: () => ({ ...target, mode: "enable", allowedIps: ips }),
    role: () => ({ ...target, name, ...(changed ? { passwordVersion: 2 } : {}) }),
    access: () => ({ ...selected, role: name }),
    identity: () => ({ ...selected, publication: name }),
    publication: () => ({ ...selected, name }),
    slot: () => ({ ...target, name, role: name, dropOnDestroy: true }),
    readiness: ({ identity, publication }) => ({
      ...selected,
      role: name,
      publication: name,
      slot: name,
      after: [identity?.["fingerprint"], publication?.["fingerprint"]],
    }),
    list: ({ replication }) => ({
      projectId,
      ips,
      lackedBefore: replication?.["ipAllowLacked"],
      wasOpenBefore: replication?.["ipAllowWasOpen"],
    }),
  };
}

const apiKinds = (clock: Clock) => ({
  replication: logicalReplicationKind(clock),
  role: sql.withVerifiedLogin(apiRole),
  list: ipAllowKind(clock),
});

function apiProgram(changed: boolean): Declared {
  const { projectId, database, name } = placeHere();
  return {
    ...trail(changed),
    role: () => ({ projectId, database, name, ...(changed ? { passwordVersion: 2 } : {}) }),
  };
}

const SWEEPS = [
  // A role of Neon's API takes fewer statements.
  { title: "the trail", kinds: trailKinds(CLOCK), program: trail, least: ROLE_MADE_BY === "sql" ? 200 : 170 },
  { title: "a role of Neon's API", kinds: apiKinds(CLOCK), program: apiProgram, least: 40 },
];

test.each(SWEEPS)(
  "a fault at any message of $title: the next command converges, and destroy restores all",
  async ({ title, kinds, program, least }) => {
    const started = Date.now();
    const { cases, faulty } = await sweep({
      messages,
      begin: () => begin(kinds),
      program,
      facts,
      ignored: /^role bemi: password$/,
      settled: () => bench.emulator.settled(),
      // Neon has no place for a mark on a role, so nothing says whose it is until it is in the state.
      byHand: {
        asked: /^Role bemi on branch main .* exists already: set adopt: true/,
        work: () => bench.done("DELETE", `${bench.branch}/roles/bemi`),
      },
    });
    process.stderr.write(
      `${cases} faults at the messages of ${title}, in ${Math.round((Date.now() - started) / 1_000)} s\n`,
    );
    expect(faulty).toEqual([]);
    expect(cases).toBeGreaterThan(least);
  },
  20 * MINUTES,
);

/** Runs commands at the same time. Returns how each ended. */
async function together(commands: readonly (() => Promise<unknown>)[]): Promise<string[]> {
  const ends = await Promise.allSettled(commands.map((command) => command()));
  return ends.map((end) => (end.status === "fulfilled" ? "done" : String(end.reason)));
}

/**
 * Runs commands of several stacks at the same time until all are done. When one of them makes or deletes a role of Neon's
 * API, Neon drops the connections of the others, which have to be run again.
 */
async function allDone(commands: readonly (() => Promise<unknown>)[]): Promise<void> {
  const interrupted =
    /^(User)?Error: The connection to database \S+ at localhost broke: .*administrator command\. Run again/;
  for (const [index, end] of (await together(commands)).entries()) {
    if (ROLE_MADE_BY === "api" && interrupted.test(end)) await commands[index]?.();
    else expect(end).toBe("done");
  }
}

// The up that comes second refuses a role of Neon's API: nothing says whose it is.
testWith("owner that makes Bemi's role in SQL")(
  "two ups of one program at the same time, with a state each: both converge, and restore all",
  async () => {
    const kinds = trailKinds(CLOCK);
    const stacks = [await begin(kinds), newStack(kinds)];
    const before = await facts();
    // Pulumi's lock on the stack keeps this from happening. Without it, an up may find what the other one makes.
    expect(await together(stacks.map((stack) => () => stack.up(trail(false))))).toContain("done");
    for (const stack of stacks) await stack.up(trail(false));
    const [one, other] = stacks.map(({ state }) => state["identity"]?.outputs["ownershipId"]);
    expect(one).toBe(other);
    await together(stacks.map((stack) => () => stack.destroy()));
    for (const stack of stacks) await stack.destroy();
    expect(differences(before, await facts())).toEqual([]);
  },
);

test("two stacks turn on logical replication of one project, and come and go, at the same time", async () => {
  const { body } = await bench.done("POST", "/projects", { project: { settings: { allowed_ips: LIST } } });
  const { project, branch } = body;
  await bench.compute.sql(branch.id, "CREATE DATABASE second OWNER neondb_owner");
  const places = [
    { projectId: project.id, database: "neondb", name: "bemi", entry: "203.0.113.7" },
    { projectId: project.id, database: "second", name: "bemi_two", entry: "203.0.113.8" },
  ] as const;
  const superuserUri = bench.compute.superuserUri(branch.id, "neondb");
  for (const { database } of places)
    await runSql(uriTo(superuserUri, database), `SET ROLE neondb_owner; ${DATABASE}`);
  const state = async (): Promise<Fact[]> =>
    (await Promise.all(places.map(({ database }) => catalogState({ superuserUri }, database)))).flat();
  const allowed = async () =>
    (await bench.api("GET", `/projects/${project.id}`)).body.project.settings?.allowed_ips;
  const before = await state();
  // Servers restart, which takes them real time.
  const clock = fastClock(10);
  const stacks = places.map((place) => ({ place, stack: newStack(trailKinds(clock), clock) }));
  const ups = stacks.map(
    ({ place, stack }) =>
      () =>
        stack.up(trail(false, place)),
  );
  await allDone(ups);
  const { ips = [] } = (await allowed()) ?? {};
  expect(ips.slice(0, LIST.ips.length)).toEqual(LIST.ips);
  expect(ips.slice(LIST.ips.length).sort()).toEqual(places.map(({ entry }) => entry));
  for (const up of ups) expect(await up()).toEqual([]);
  for (const { stack } of stacks) expect(stack.state["readiness"]?.outputs["ready"]).toBe(true);
  await allDone(
    stacks.map(
      ({ stack }) =>
        () =>
          stack.destroy(),
    ),
  );
  expect(await allowed()).toEqual(LIST);
  expect(differences(before, await state())).toEqual([]);
});
