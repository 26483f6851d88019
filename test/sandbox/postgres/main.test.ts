import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { main } from "../../../sandbox/main";
import { startSandbox, type Sandbox, type SandboxInfo } from "../../../sandbox";
import { runSql } from "../../support/postgres";

const ROOT = resolve(__dirname, "../../..");
const START =
  "require('./sandbox/main').main(process.argv.slice(1)).then((code) => process.exit(code), (error) => { throw error; })";

/** The folder for the temporary folders of the tested commands. The user that runs PostgreSQL must be able to enter. */
const temporary = mkdtempSync(join(tmpdir(), "main-test-"));
chmodSync(temporary, 0o755);
afterAll(() => {
  rmSync(temporary, { recursive: true });
});

async function nothingIsLeft(): Promise<void> {
  while (readdirSync(temporary).some((name) => name.startsWith("neon-bemi-"))) await sleep(50);
}

/** The processes of the present test. They are ended after it, even if it fails. */
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** Starts the command as its own process. */
function command(...args: string[]) {
  const child = spawn(
    process.execPath,
    ["-r", "ts-node/register/transpile-only", "-e", START, "--", ...args],
    {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, TMPDIR: temporary },
    },
  );
  children.push(child);
  const output = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.err += text));
  return { child, output, exited: once(child, "close") as Promise<[number | null]> };
}

describe("as a command", () => {
  test("prints one line of JSON, runs until SIGTERM and leaves nothing behind", async () => {
    const { child, output, exited } = command();
    const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
    const info = JSON.parse(line) as SandboxInfo;
    expect(Object.keys(info)).toEqual([
      "apiUrl",
      "apiKey",
      "projectId",
      "branchId",
      "branchName",
      "endpointId",
      "database",
      "ownerUri",
      "superuserUri",
      "sslRootCert",
      "requestLog",
    ]);
    expect(dirname(dirname(info.sslRootCert))).toBe(temporary);
    expect(await runSql(info.superuserUri, "SELECT count(*)::int AS orders FROM orders")).toEqual([
      { orders: 500 },
    ]);
    // Only the profile `neon` lets the owner do this.
    await runSql(
      asOwner(info),
      `CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
       CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION public.watch()`,
    );

    child.kill("SIGTERM");
    expect((await exited)[0]).toBe(0);
    expect(output.out).toBe(`${line}\n`);
    expect(output.err).toContain("Loading");
    expect(readdirSync(temporary).filter((name) => name.startsWith("neon-bemi-"))).toEqual([]);
  });

  test("leaves nothing behind if it is ended during its start", async () => {
    const { child, output, exited } = command();
    while (!output.err.includes("Starting")) await sleep(10);
    child.kill("SIGTERM");
    expect((await exited)[0]).toBe(1);
    expect(output.out).toBe("");
    await nothingIsLeft();
  });

  test("reports the line of a failing SQL file, and stops everything", async () => {
    const path = join(temporary, "bad.sql");
    writeFileSync(path, "SELECT 1;\nSELECT 1/0;");
    const { output, exited } = command("--sql", path);
    expect((await exited)[0]).toBe(1);
    expect(output.err).toContain(`\n${path}, line 2: division by zero.\n`);
    expect(output.out).toBe("");
    await nothingIsLeft();
  });
});

describe("mistakes", () => {
  let said = "";
  beforeEach(() => {
    said = "";
    jest.spyOn(process.stderr, "write").mockImplementation((text) => {
      said += String(text);
      return true;
    });
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test.each([
    [["--postgres", "13"], '--postgres must be one of 14, 15, 16, 17, 18, not "13".'],
    [["--profile", "lax"], '--profile must be one of neon, strict, not "lax".'],
    [["--port", "1"], "Unknown option '--port'"],
    [["extra"], "Unexpected argument 'extra'"],
    [["--sql"], "Option '--sql <value>' argument missing"],
  ])("%j is reported, and the exit code is 2", async (args, message) => {
    expect(await main(args)).toBe(2);
    expect(said).toContain(message);
    expect(said).toContain("Usage: npm run sandbox");
  });

  test("a missing SQL file ends with exit code 1 before anything is started", async () => {
    expect(await main(["--sql", "missing.sql"])).toBe(1);
    expect(said).toMatch(/^The SQL file missing\.sql cannot be read: .*\n$/);
  });
});

describe("with given files and settings", () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    writeFileSync(join(temporary, "first.sql"), "CREATE TABLE first (id int);");
    writeFileSync(join(temporary, "second.sql"), "ALTER TABLE first ADD COLUMN second text;");
    sandbox = await startSandbox({
      sql: [join(temporary, "first.sql"), join(temporary, "second.sql")],
      profile: "neon",
      settings: { log_statement: "all" },
    });
  });
  afterAll(async () => {
    await sandbox.stop();
  });

  test("runs the files in order as the owner, in place of the sample", async () => {
    const rows = await runSql(
      sandbox.info.superuserUri,
      `SELECT relname, relnatts::int AS columns, pg_get_userbyid(relowner) AS owner,
              current_setting('log_statement') AS log_statement
       FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
    );
    expect(rows).toEqual([{ relname: "first", columns: 2, owner: "neondb_owner", log_statement: "all" }]);
  });

  test("profile neon lets the owner do what Neon's patches allow", async () => {
    await runSql(asOwner(sandbox.info), "CREATE PUBLICATION everything FOR ALL TABLES");
  });

  test("answers and logs requests to the API", async () => {
    const { apiUrl, apiKey, projectId, requestLog } = sandbox.info;
    const response = await fetch(`${apiUrl}/projects/${projectId}`, {
      headers: { authorization: `Bearer ${apiKey}` },
    });
    expect(response.status).toBe(200);
    expect(readFileSync(requestLog, "utf8")).toContain(`/projects/${projectId}`);
  });
});

/** The URI of the owner, with the authority that the front door's certificate is verified by. */
function asOwner({ ownerUri, sslRootCert }: SandboxInfo): string {
  const uri = new URL(ownerUri);
  uri.search = `sslmode=verify-full&sslrootcert=${encodeURIComponent(sslRootCert)}`;
  return uri.href;
}
