import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { testDatabase } from "../../support/postgres";

const ROOT = resolve(__dirname, "../../..");
const HELD = z.object({ pid: z.int(), folder: z.string(), postmaster: z.int() });
type Held = z.infer<typeof HELD>;

/** Starts the program and reads the one line it prints once its server runs. */
async function started(
  command: string,
  args: readonly string[],
): Promise<{ child: ChildProcess; held: Held }> {
  const child = spawn(command, args, {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  const held = HELD.parse(JSON.parse(line));
  all.push(held);
  expect(isThere(held.postmaster)).toBe(true);
  expect(existsSync(join(held.folder, "br-held", "data", "postmaster.pid"))).toBe(true);
  return { child, held };
}

/** The processes of the present test. They are ended after it, even if it fails. */
const all: Held[] = [];
afterEach(() => {
  for (const { pid, postmaster } of all.splice(0)) {
    if (isThere(pid)) process.kill(pid, "SIGKILL");
    if (isThere(postmaster)) process.kill(postmaster, "SIGQUIT");
  }
});

const HOLDER = ["-r", "ts-node/register/transpile-only", join(__dirname, "holder.ts")];

/** Whether the process runs. A zombie, whose parent has not noticed its end, does not count. */
function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch (error) {
    return (
      error instanceof Error && "code" in error && error.code === "ENOENT" && process.platform !== "linux"
    );
  }
}

/** Waits until processes and folder are gone. Jest's timeout makes the test fail otherwise. */
async function gone({ pid, folder, postmaster }: Held): Promise<void> {
  while (isThere(pid) || isThere(postmaster) || existsSync(folder)) await sleep(50);
}

test("nothing is left after SIGKILL", async () => {
  const { child, held } = await started(process.execPath, HOLDER);
  child.kill("SIGKILL");
  await gone(held);
});

test("nothing is left after a signal without a handler", async () => {
  const { child, held } = await started(process.execPath, HOLDER);
  child.kill("SIGHUP");
  await gone(held);
});

test("nothing is left when the parent is killed", async () => {
  const parent = `require("node:child_process").spawn(process.execPath, ${JSON.stringify(HOLDER)}, { stdio: "inherit" })`;
  const { child, held } = await started(process.execPath, ["-e", parent]);
  expect(held.pid).not.toBe(child.pid);
  child.kill("SIGKILL");
  await gone(held);
});

test("nothing is left when npm is killed and the shell below it goes on", async () => {
  const quoted = [process.execPath, ...HOLDER].map((part) => `'${part}'`).join(" ");
  const shell = JSON.stringify(["-c", `${quoted}; :`]);
  const npm = `process.title = "npm run sandbox"; require("node:child_process").spawn("/bin/sh", ${shell}, { stdio: "inherit" })`;
  const { child, held } = await started(process.execPath, ["-e", npm]);
  child.kill("SIGKILL");
  await gone(held);
});

test("nothing is left after close, which may be called twice", async () => {
  const database = await testDatabase();
  const { folder } = database.compute;
  expect(existsSync(folder)).toBe(true);
  await Promise.all([database.close(), database.close()]);
  expect(existsSync(folder)).toBe(false);
  await database.close();
});
