import { readFileSync } from "node:fs";
import path from "node:path";
import { anyRuns, end, processTree } from "../support/processes";
import { ROLE_BY_API } from "../support/trailRole";
import { TrailStack } from "../support/trailStack";
import { until } from "../support/until";
import type { Running } from "../support/cli";

/** How long a plugin process may outlive the release of the message at which its command was interrupted. */
const GONE_MS = 1_000;

/** How long after a change of the IP Allow list the provider reads it again. Only then is a safe point. */
const IP_ALLOW_MS = 1_500;

/** How a command is interrupted: by Ctrl-C, by `kill -9`, or as by `| head`, which closes its output. */
type End = "SIGINT" | "SIGKILL" | "closed output";

/** A point of a run: the gate holds the first message that contains the text, so that the provider waits for its answer. */
type Point = readonly [what: string, at: string, end: End];

/** The real CLI at every point: only it starts the plugin, and ends it, as for a user. Each command continues from the last. */
const UP: readonly Point[] = [
  ["logical replication, the request", "PATCH /projects/", "closed output"],
  // A kill here would leave a role that nothing tells from one of somebody else: Neon has no place for a mark.
  ...(ROLE_BY_API
    ? ([["the role, the request", "POST /projects/", "SIGINT"]] as const)
    : ([
        ["the role, its statement", "CREATE ROLE %I", "SIGINT"],
        ["the role, its first login", "user\0bemi\0", "SIGKILL"],
        // A role of Neon's API can read every table.
        ["read access", "GRANT SELECT ON", "closed output"],
      ] as const)),
  ["replica identities, their record", "CREATE SCHEMA", "SIGINT"],
  ["event triggers", "CREATE EVENT TRIGGER", "SIGKILL"],
  ["replica identities, the tables", "' REPLICA IDENTITY '", "closed output"],
  ["the publication", "CREATE PUBLICATION", "SIGINT"],
  ["its tables", '"action":"ADD"', "SIGKILL"],
  ["the slot and readiness, which only read", "WITH sch AS", "closed output"],
  // Nothing on the list says who added an entry, and this leaves nothing in the state.
  ["IP Allow, the answer to the request", "answer to PATCH /projects/", "SIGKILL"],
];

const DESTROY: readonly Point[] = [
  ["IP Allow, the request", "PATCH /projects/", "SIGINT"],
  // Only the login of a role that SQL has made can be taken away in SQL.
  ...(ROLE_BY_API ? [] : ([["the login of the consumer", "NOLOGIN", "SIGKILL"]] as const)),
  ["the slot", "pg_drop_replication_slot", "closed output"],
  ["the tables of the publication", '"action":"DROP"', "SIGINT"],
  ["event triggers", "DROP EVENT TRIGGER", "SIGKILL"],
  ["replica identities, the tables", "' REPLICA IDENTITY '", "closed output"],
  ["replica identities, their record", "DROP SCHEMA", "SIGINT"],
  ...(ROLE_BY_API
    ? ([["the role, the request", "DELETE /projects/", "closed output"]] as const)
    : ([
        ["read access", "REVOKE SELECT", "SIGKILL"],
        ["the role, its connections", "its connections do not end", "closed output"],
        ["the role", "DROP ROLE", "SIGINT"],
      ] as const)),
];

// Each test runs a dozen commands of the CLI.
jest.setTimeout(300_000);

let stack: TrailStack;

beforeAll(async () => {
  // Event triggers need the rights that Neon gives the owner.
  stack = await TrailStack.open({
    sandbox: { profile: "neon" },
    args: { readAccess: true, allowedIps: ["127.0.0.1", "203.0.113.7"], restrictOpenProject: true },
  });
});

afterAll(() => stack.close());

/** Lets a command run up to a point, interrupts it there, and expects its plugin to end soon after the next safe point. */
async function interrupt(command: string, [what, at, how]: Point): Promise<void> {
  const calls = path.join(stack.cli.folder, `calls-${command}-${what}.json`);
  const running = stack.cli.start([command, "--yes", "--skip-preview"], { PULUMI_DEBUG_GRPC: calls });
  const hold = stack.gate.hold(at);
  await reached(running, hold.reached, what);
  const started = processTree(running.child.pid ?? 0);
  const plugins = started.filter((each) => each.command.includes("pulumi-resource-neon-bemi"));
  expect(plugins).not.toEqual([]);
  await interruptBy(how, running, calls);
  hold.release();
  const released = Date.now();
  await until(() => !anyRuns(plugins));
  const allowed = GONE_MS + (what.startsWith("IP Allow") ? IP_ALLOW_MS : 0);
  expect({ what, gone: Date.now() - released < allowed }).toEqual({ what, gone: true });
  await running.ended;
  if (how === "SIGINT") return;
  // A CLI that is killed leaves its language host, the program and its lock on the stack.
  end(started);
  await stack.cli.inFolder(["cancel", stack.cli.stack, "--yes"]);
}

/** @throws if the command ends before it reaches the point */
async function reached(running: Running, point: Promise<void>, what: string): Promise<void> {
  const tooEarly = running.ended.then(({ output }) => {
    throw new Error(`The command came to its end before the point "${what}":\n${output}`);
  });
  await Promise.race([point, tooEarly]);
}

/**
 * Settles when the plugin knows of it: when the CLI has ended, or has told the plugin that it cancels the run.
 *
 * @param calls the file in which the CLI records its calls of the plugin
 */
async function interruptBy(how: End, { child }: Running, calls: string): Promise<void> {
  if (how === "closed output") child.stdout?.destroy();
  else child.kill(how);
  await until(() =>
    how === "SIGINT"
      ? readFileSync(calls, "utf8").includes("ResourceProvider/Cancel")
      : child.exitCode !== null || child.signalCode !== null,
  );
}

/** An up, and in the middle of it a second one of the same stack, which has to leave the first alone. */
async function upWhileAnotherRuns(): Promise<void> {
  const up = ["up", "--yes", "--skip-preview"];
  const hold = stack.gate.hold("WITH sch AS");
  const first = stack.cli.start(up);
  await reached(first, hold.reached, "the catalog");
  const second = await stack.cli.run(up);
  expect(second.output).toMatch(/error: the stack is currently locked by 1 lock\(s\)/);
  expect(second.code).not.toBe(0);
  hold.release();
  expect(await first.ended).toMatchObject({ code: 0 });
}

test("an up that is interrupted at any point leaves no plugin, and the last one converges", async () => {
  for (const point of UP) await interrupt("up", point);
  await upWhileAnotherRuns();
  expect(await stack.cli.output("status")).toMatchObject({ ready: true });
  expect(await stack.cli.must(["preview"])).toMatch(/Resources:\n\s+10 unchanged\n/);
});

test("a destroy that is interrupted at any point leaves no plugin, and the last one restores all", async () => {
  await stack.sql("SELECT pg_create_logical_replication_slot('bemi', 'pgoutput')");
  for (const point of DESTROY) await interrupt("destroy", point);
  await stack.cli.must(["destroy", "--yes", "--skip-preview"]);
  await stack.expectRestored();
});

/**
 * Where the create of each kind fails after its first write: messages that the gate breaks. Logical replication is on
 * already here; slots and readiness write nothing.
 */
const BREAKS = {
  sql: [
    // ReplicationRole: its first login.
    ...(ROLE_BY_API ? [] : [{ text: "user\0late\0" }]),
    // ReadAccess, after its record of what the role had.
    { text: '"action":"GRANT"' },
    // ReplicaIdentity, after its claim.
    { text: "' REPLICA IDENTITY '" },
    // Publication, after it was created empty.
    { text: '"action":"ADD"' },
  ],
  // ApiRole: the operations that make the role.
  api: [{ text: "/operations", after: "/roles" }],
  // IpAllow: the list as it is after the change.
  list: [{ text: "GET /projects/PROJECT$", after: "PATCH /projects/" }],
} satisfies Record<string, readonly { readonly text: string; readonly after?: string }[]>;

/**
 * Resources of SQL that do not depend on each other, so that each can fail by itself; then an ApiRole; then an IpAllow. The
 * last two change one project, so one of them may have to wait for the other.
 */
function program(last: "sql" | "api" | "list"): string {
  const { projectId, database } = stack.info;
  return `
    const { ApiRole, IpAllow, Publication, ReadAccess, ReplicaIdentity, ReplicationRole } = require("pulumi-neon-bemi");
    const [projectId, place] = [${JSON.stringify(projectId)}, ${JSON.stringify({ projectId, database })}];
    const made = [
      ${ROLE_BY_API ? "" : 'new ReplicationRole("role", { ...place, name: "late" }),'}
      new ReadAccess("access", { ...place, role: "reader", tables: ["public.orders"] }),
      new ReplicaIdentity("identity", { ...place, publication: "other", tables: ["public.orders"], trackNewTables: false }),
      new Publication("publication", { ...place, name: "late", tables: ["public.customers"], trackNewTables: false }),
    ];
    if (${last !== "sql"}) made.push(new ApiRole("api", { ...place, name: "late_api" }, { dependsOn: made }));
    if (${last === "list"})
      new IpAllow("list", { projectId, ips: ["127.0.0.0/8"], restrictOpenProject: true }, { dependsOn: made });`;
}

/** The resources of SQL that {@link program} declares, each with whether it is unfinished. */
function sqlResources(areUnfinished: boolean): Record<string, boolean> {
  const kinds = ["ReadAccess", "ReplicaIdentity", "Publication", ...(ROLE_BY_API ? [] : ["ReplicationRole"])];
  return Object.fromEntries(kinds.map((kind) => [kind, areUnfinished]));
}

/** The resources of the provider in the state, each with whether it is unfinished. */
async function unfinished(): Promise<Record<string, boolean>> {
  const { deployment } = JSON.parse(await stack.cli.state()) as {
    deployment: { resources?: { type: string; outputs?: { unfinished?: string } }[] };
  };
  return Object.fromEntries(
    (deployment.resources ?? [])
      .filter(({ type }) => type.startsWith("neon-bemi:"))
      .map(({ type, outputs }) => [type.split(":").at(-1) ?? "", (outputs?.unfinished ?? "") !== ""]),
  );
}

test("a create that fails after its first write is in the state, converges, and is given back", async () => {
  const { cli, gate, info } = stack;
  // Only a table with the replica identity FULL is published.
  await stack.sql("CREATE ROLE reader; ALTER TABLE public.customers REPLICA IDENTITY FULL");
  const failing = async (last: "sql" | "api" | "list"): Promise<void> => {
    gate.break(
      ...BREAKS[last].map((each) => ({ ...each, text: each.text.replace("PROJECT", info.projectId) })),
    );
    await cli.program(program(last));
    const { code } = await cli.run(["up", "--yes", "--skip-preview", "--continue-on-error"]);
    expect(code).not.toBe(0);
  };
  await failing("sql");
  expect(await unfinished()).toEqual(sqlResources(true));

  await failing("api");
  const finished = sqlResources(false);
  expect(await unfinished()).toEqual({ ...finished, ApiRole: true });
  await failing("list");
  expect(await unfinished()).toEqual({ ...finished, ApiRole: false, IpAllow: true });

  gate.break();
  await cli.must(["up", "--yes", "--skip-preview"]);
  expect(await unfinished()).toEqual({ ...finished, ApiRole: false, IpAllow: false });
  expect(await stack.sql("SELECT tablename FROM pg_publication_tables WHERE pubname = 'late'")).toEqual([
    { tablename: "customers" },
  ]);
  expect(await stack.sql("SELECT has_table_privilege('reader', 'public.orders', 'SELECT') AS may")).toEqual([
    { may: true },
  ]);
  await cli.must(["destroy", "--yes", "--skip-preview"]);
  await stack.sql("DROP ROLE reader; ALTER TABLE public.customers REPLICA IDENTITY DEFAULT");
  await stack.expectRestored();
});
