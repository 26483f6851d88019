import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectionSettings, Login } from "../../../provider/contract/connection";
import { UserError } from "../../../provider/contract/errors";
import {
  abandonConnection,
  closeConnection,
  connectionIsLost,
  openConnection,
} from "../../../provider/postgres/session/connection";
import { Sessions, transaction } from "../../../provider/postgres/session/sessions";
import { SqlError } from "../../../provider/postgres/sql/sqlError";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { TARGET, testRun, type TestRun } from "../../support/run";

const WHERE = {
  branchId: "br-cool-sea-123456",
  branchName: "main",
  branchIsDefault: true,
  endpointId: "ep-cool-sea-123456",
  host: "localhost",
};

/** What stays real when only `setTimeout` follows a clock of the test. */
const REAL = [
  "Date",
  "hrtime",
  "nextTick",
  "performance",
  "queueMicrotask",
  "setImmediate",
  "clearImmediate",
  "setInterval",
  "clearInterval",
] as const;

let db: TestDatabase;
let run: TestRun;
let admitted = true;
/** What Neon's proxy answers to the next logins. */
let refusals: string[] = [];

beforeAll(async () => {
  db = await testDatabase({
    settings: { log_statement: "all", log_connections: "on" },
    admits: () => admitted,
    refuseLogin: () => refusals.shift(),
    sql: "CREATE TABLE t (id int PRIMARY KEY)",
  });
  run = testRun(db);
});

afterEach(async () => {
  admitted = true;
  refusals = [];
  await run.end();
});

afterAll(async () => {
  await db.close();
});

/** The lines of the server's log while `work` ran. */
async function logged(work: () => Promise<unknown>): Promise<string> {
  const before = readFileSync(db.serverLog, "utf8").length;
  await work();
  return readFileSync(db.serverLog, "utf8").slice(before);
}

function count(text: string, pattern: RegExp): number {
  return text.split("\n").filter((line) => pattern.test(line)).length;
}

function ownerLogin(change: Partial<Login> = {}): Login {
  const uri = new URL(db.ownerUri);
  const { hostname: host, username: user, password } = uri;
  return { host, port: Number(uri.port), database: "neondb", user, password, ...change };
}

/** Opens a connection that is not needed any further. */
async function open(login: Login, settings: ConnectionSettings = { sslRootCert: db.sslRootCert }) {
  await (await openConnection(login, settings, () => undefined)).end();
}

async function failure(work: Promise<unknown>): Promise<Error> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error("nothing was thrown");
  return error;
}

describe("after the database got another owner", () => {
  const database = { name: "neondb", owner: "neondb_owner" };
  const target = { ...TARGET, database, ...WHERE };

  /** Who a session acts as, and who it says the owner is, with the lines that were logged. */
  async function actsAs(ownerOf: () => Promise<string | undefined>, isHandedOver = () => true) {
    const lines: string[] = [];
    const sessions = new Sessions({
      login: ({ database: { owner } }) =>
        Promise.resolve(
          owner === "next_owner" ? ownerLogin({ user: owner, password: "next" }) : ownerLogin(),
        ),
      ownerOf,
      isHandedOver,
      connection: { sslRootCert: db.sslRootCert },
      log: (line) => lines.push(line),
    });
    try {
      return await sessions.use(target, async (session) => {
        const [row] = await session.read<{ role: string }>("SELECT current_user::text AS role");
        return { role: row?.role, owner: session.target.database.owner, lines };
      });
    } finally {
      await sessions.closeAll();
    }
  }

  const next = {
    role: "next_owner",
    owner: "next_owner",
    lines: ['Database "neondb" belongs to role next_owner now; until the last run it was neondb_owner.'],
  };

  beforeAll(async () => {
    await runSql(db.superuserUri, "CREATE ROLE next_owner LOGIN PASSWORD 'next'");
    await runSql(db.superuserUri, "ALTER DATABASE neondb OWNER TO next_owner");
  });

  afterAll(async () => {
    await runSql(db.superuserUri, "ALTER ROLE neondb_owner LOGIN");
    await runSql(db.superuserUri, "ALTER DATABASE neondb OWNER TO neondb_owner");
  });

  test("a session acts as the new owner, and says so", async () => {
    expect(await actsAs(() => Promise.resolve("next_owner"))).toEqual(next);
  });

  test("a session stays with the former owner while what the module made is that role's", async () => {
    expect(
      await actsAs(
        () => Promise.resolve("next_owner"),
        () => false,
      ),
    ).toEqual({
      role: "neondb_owner",
      owner: "neondb_owner",
      lines: [
        'Database "neondb" belongs to role next_owner now. What this stack made in it belongs to neondb_owner, so neondb_owner goes on with it.',
      ],
    });
  });

  test("a session stays with the owner that it has if nobody knows another one", async () => {
    const kept = { role: "neondb_owner", owner: "neondb_owner", lines: [] };
    expect(await actsAs(() => Promise.resolve(undefined))).toEqual(kept);
    expect(await actsAs(() => Promise.reject(new Error("Neon is down")))).toEqual(kept);
  });

  test("a former owner that may not log in any more is no obstacle", async () => {
    await runSql(db.superuserUri, "ALTER ROLE neondb_owner NOLOGIN");
    expect(await actsAs(() => Promise.resolve("next_owner"))).toEqual(next);
  });
});

test("gives callers one session in turn, with one login and one read of the catalog", async () => {
  const order: string[] = [];
  const log = await logged(async () => {
    const first = run.session(async (session) => {
      order.push("first in");
      await session.catalog();
      order.push("first out");
    });
    const second = run.session(async (session) => {
      order.push("second in");
      await session.catalog();
    });
    await Promise.all([first, second]);
    await run.end();
  });
  expect(order).toEqual(["first in", "first out", "second in"]);
  expect(count(log, /connection authorized: user=neondb_owner/)).toBe(1);
  expect(count(log, /neondb_owner@.*LOG: {2}(statement|execute)/)).toBe(2);
});

test("reads the catalog again after a change", async () => {
  await run.session(async (session) => {
    const before = await session.catalog();
    expect(await session.catalog()).toBe(before);
    await session.write("CREATE TABLE public.later (id int)");
    expect((await session.catalog()).tables.map(({ name }) => name)).toEqual(["t", "later"]);
    await session.write("DROP TABLE public.later");
  });
});

test("fixes the search path and sets time limits", async () => {
  const [row] = await run.session((session) =>
    session.read<Record<string, string>>(
      `SELECT current_setting('search_path') AS path, current_setting('lock_timeout') AS lock,
              current_setting('statement_timeout') AS statement, current_setting('application_name') AS name,
              current_setting('pgroll.no_inferred_migrations') AS pgroll`,
    ),
  );
  expect(row).toEqual({
    path: "pg_catalog, pg_temp",
    lock: "2s",
    statement: "1min",
    name: "pulumi-neon-bemi",
    pgroll: "TRUE",
  });
});

test("throws errors with message, SQLSTATE, detail and hint, without the statement", async () => {
  const error = await failure(
    run.session((session) =>
      session.write("DO $$ BEGIN EXECUTE 'CREATE TABLE public.t (hidden_word int)'; END $$"),
    ),
  );
  expect(error).toBeInstanceOf(SqlError);
  expect(error).toMatchObject({ code: "42P07", reason: 'relation "t" already exists' });
  expect(JSON.stringify(error) + error.message).not.toContain("hidden_word");
  expect(error.cause).toBeUndefined();
});

test("rolls a transaction back as a whole, and leaves none open for the next caller", async () => {
  await failure(
    run.session((session) =>
      transaction(session, async () => {
        await session.write("INSERT INTO public.t VALUES (1)");
        throw new Error("stop");
      }),
    ),
  );
  await run.session(async (session) => {
    await session.write("BEGIN");
    await session.write("INSERT INTO public.t VALUES (2)");
  });
  const rows = await run.session((session) => session.read("SELECT id FROM public.t"));
  expect(rows).toEqual([]);
});

test("says that a connection broke, and opens a new one for the next caller", async () => {
  const error = await failure(
    run.session(async (session) => {
      await runSql(
        db.superuserUri,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pulumi-neon-bemi'",
      );
      await session.read("SELECT 1");
    }),
  );
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toMatch(/connection to database "neondb" .* broke/);
  expect(await run.session((session) => session.read("SELECT 1 AS one"))).toEqual([{ one: 1 }]);
});

test("opens a new connection after a restart of the compute", async () => {
  await run.session((session) => session.read("SELECT 1"));
  await db.compute.stop(db.branchId);
  await db.compute.start(db.branchId);
  expect(await run.session((session) => session.read("SELECT 2 AS two"))).toEqual([{ two: 2 }]);
});

test("closes a session on request, and opens another at the next use", async () => {
  const log = await logged(async () => {
    await run.session((session) => session.read("SELECT 1"));
    await run.closeSql({ projectId: "cool-darkness-123456" });
    await run.session((session) => session.read("SELECT 1"));
  });
  expect(count(log, /connection authorized: user=neondb_owner/)).toBe(2);
});

test("opens no session while something runs that would break one, nor a first one", async () => {
  const order: string[] = [];
  const target = { projectId: "cool-darkness-123456" } as const;
  const fresh = testRun(db);
  await run.session((session) => session.read("SELECT 1"));
  let used: Promise<unknown> = Promise.resolve();
  for (const each of [run, fresh]) {
    await each.closeSql(target, async () => {
      used = each.session(async (session) => {
        await session.read("SELECT 1");
        order.push("used");
      });
      await sleep(200);
      order.push("broken");
    });
    await used;
  }
  expect(order).toEqual(["broken", "used", "broken", "used"]);
  await expect(run.closeSql(target, () => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
  expect(await run.session((session) => session.read("SELECT 1 AS one"))).toEqual([{ one: 1 }]);
  await fresh.end();
});

test("says why there is no connection, and what to do", async () => {
  const noDatabase = await failure(open(ownerLogin({ database: "nodb" })));
  expect(noDatabase.message).toMatch(/no database "nodb" on localhost:\d+/);

  const noPassword = await failure(open(ownerLogin({ password: "wrong" })));
  expect(noPassword.message).toMatch(/refused the password of role "neondb_owner"/);

  admitted = false;
  const refused = await failure(open(ownerLogin()));
  expect(refused.message).toMatch(/Add the address of the machine that runs Pulumi to .* IP Allow/);
  admitted = true;

  const untrusted = await failure(open(ownerLogin(), {}));
  expect(untrusted.message).toMatch(/cannot be trusted: .*PGSSLROOTCERT/);

  const noFile = await failure(open(ownerLogin(), { sslRootCert: "/nowhere/ca.pem" }));
  expect(noFile.message).toMatch(/PGSSLROOTCERT .* cannot be read/);

  for (const error of [noDatabase, noPassword, refused, untrusted, noFile])
    expect(error).toBeInstanceOf(UserError);
});

test("waits for a compute that is starting, as Neon's proxy says it", async () => {
  refusals = ["the database system is starting up", "Couldn't connect to compute node"];
  await open(ownerLogin());
  expect(refusals).toEqual([]);
});

test("waits for a free connection", async () => {
  await runSql(db.superuserUri, "CREATE ROLE limited LOGIN CONNECTION LIMIT 0 PASSWORD 'secret'");
  const opened = open(ownerLogin({ user: "limited", password: "secret" }));
  await sleep(100);
  await runSql(db.superuserUri, "ALTER ROLE limited CONNECTION LIMIT 1");
  await opened;
});

test("refuses a certificate for another name", async () => {
  const relay = createServer((client) => {
    client.pipe(connect(ownerLogin().port, "localhost")).pipe(client);
  }).listen(0, "127.0.0.2");
  await once(relay, "listening");
  const { port } = relay.address() as AddressInfo;
  const error = await failure(open(ownerLogin({ host: "127.0.0.2", port })));
  relay.close();
  expect(error.message).toMatch(/cannot be trusted/);
});

test("counts a server that goes silent as a lost connection, and does not wait for it at the end", async () => {
  const sockets: Socket[] = [];
  const relay = createServer((client) => {
    const server = connect(ownerLogin().port, "localhost");
    sockets.push(client, server);
    client.pipe(server).pipe(client);
  }).listen(0, "localhost");
  await once(relay, "listening");
  const { port } = relay.address() as AddressInfo;
  const settings = { sslRootCert: db.sslRootCert };
  const open = () => openConnection(ownerLogin({ port }), settings, () => undefined, 500);
  const [asked, idle] = [await open(), await open()];
  expect((await asked.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  for (const socket of sockets) socket.unpipe().pause();
  const begun = performance.now();
  const error = await failure(asked.query("SELECT 2"));
  expect(connectionIsLost(error)).toBe(true);
  const ended = new Promise<void>((resolve) => asked.once("end", resolve));
  abandonConnection(asked);
  await Promise.all([ended, closeConnection(idle)]);
  expect(performance.now() - begun).toBeLessThan(5_000);
  relay.close();
  for (const socket of sockets) socket.destroy();
});

test("names the port at which nothing listens", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  const error = await failure(open(ownerLogin({ host: "127.0.0.1", port })));
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toBe(
    `Nothing accepts connections at 127.0.0.1:${port}. Check that the branch's compute exists and is enabled, and run again.`,
  );
});

test("lets two resources at once do what breaks sessions, beside one that uses them", async () => {
  const target = { projectId: "cool-darkness-123456" } as const;
  const done: string[] = [];
  const breaking = (name: string) => () =>
    run.closeSql(target, async () => {
      await sleep(20);
      done.push(name);
    });
  const using = (name: string) => async () => {
    await run.session((session) => session.read("SELECT pg_sleep(0.02)"));
    done.push(name);
  };
  const works = [using("a"), breaking("b"), using("c"), breaking("d"), breaking("e")];
  await Promise.all(works.map((work) => work()));
  expect(done.sort()).toEqual(["a", "b", "c", "d", "e"]);
});

test("keeps an unused session for five minutes, while the engine is at the stack's other trails", async () => {
  const pid = () =>
    run.session(async (session) => {
      const [row] = await session.read<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      return row?.pid;
    });
  jest.useFakeTimers({ doNotFake: [...REAL] });
  try {
    const first = await pid();
    jest.advanceTimersByTime(290_000);
    expect(await pid()).toBe(first);
    jest.advanceTimersByTime(301_000);
    expect(await pid()).not.toBe(first);
  } finally {
    jest.useRealTimers();
  }
});

describe("in a process of its own", () => {
  const children: ChildProcess[] = [];

  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
  });

  function start(work: string): ChildProcess {
    const sessions = path.join(__dirname, "../../../provider/postgres/session/sessions.ts");
    const target = {
      projectId: "cool-darkness-123456",
      branchId: "br-cool-sea-123456",
      database: { name: "neondb", owner: "neondb_owner" },
    };
    const script = `
      const { Sessions } = require(${JSON.stringify(sessions)});
      const sessions = new Sessions({
        login: async () => (${JSON.stringify(ownerLogin())}),
        connection: ${JSON.stringify({ sslRootCert: db.sslRootCert })},
        log: () => {},
      });
      sessions.use(${JSON.stringify(target)}, async (session) => { ${work} })
        .then(() => console.log("done"));`;
    const child = spawn(process.execPath, ["-r", "ts-node/register/transpile-only", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    return child;
  }

  test("lets the process end although a session is idle", async () => {
    const child = start("await session.read('SELECT 1')");
    const [code] = (await once(child, "exit")) as [number | null];
    expect(code).toBe(0);
  });

  test("makes the server end a statement whose process was killed", async () => {
    const child = start("await session.read('SELECT pg_sleep(3600)')");
    const running = async () => {
      const [row] = await runSql<{ n: number }>(
        db.superuserUri,
        "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(3600)'",
      );
      return row?.n;
    };
    while ((await running()) === 0) await sleep(50);
    child.kill("SIGKILL");
    while ((await running()) === 1) await sleep(50);
    expect(await running()).toBe(0);
  });
});
