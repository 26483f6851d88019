import { once } from "node:events";
import type { ChildProcess } from "node:child_process";
import { chown, mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Certificates } from "./certificates";
import type { Workspace } from "./workspace";

/** The superuser of every server, with the same name as on Neon. */
export const SUPERUSER = "cloud_admin";

export type WalLevel = "replica" | "logical";

/** What all servers of a sandbox share. */
export interface Site {
  readonly workspace: Workspace;
  /** Folder with `bin`, `lib` and `share`. */
  readonly binaries: string;
  readonly certificates: Certificates;
  readonly superuserPassword: string;
  /** More settings than the sandbox's own. */
  readonly settings: Readonly<Record<string, string>>;
}

interface Running {
  readonly child: ChildProcess;
  /** Exit code; `null` if a signal ended the process. */
  readonly exited: Promise<number | null>;
}

/** How long a fast shutdown may take before it becomes an immediate one. */
const FAST_SHUTDOWN_MS = 10_000;

/**
 * One PostgreSQL server: a data directory and, while it runs, a process. It starts and stops one call after the other.
 */
export class Server {
  /** `undefined` while the server is down. */
  #running: Running | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #port: number | undefined;
  /** Takes effect at the next start. */
  walLevel: WalLevel;
  readonly data: string;
  readonly log: string;

  constructor(
    private readonly site: Site,
    /** An existing folder that only this server uses. */
    readonly folder: string,
    walLevel: WalLevel,
  ) {
    this.walLevel = walLevel;
    this.data = join(folder, "data");
    this.log = join(folder, "server.log");
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  /** The port. It stays the same, unless another program takes it while the server is down. */
  get port(): number {
    if (this.#port === undefined) throw new Error("The server has not been started yet.");
    return this.#port;
  }

  /** Makes the data directory. */
  async initialise(): Promise<void> {
    const passwordFile = join(this.folder, "password");
    await this.#write(passwordFile, this.site.superuserPassword);
    const options = ["--username", SUPERUSER, "--pwfile", passwordFile, "--auth", "scram-sha-256"];
    const encoding = ["--encoding", "UTF8", "--no-locale"];
    // The directory is not needed after a crash of this machine, so initdb need not wait for the disk.
    const initdb = await this.#run("initdb", ["--pgdata", this.data, ...options, ...encoding, "--no-sync"]);
    const code = await initdb.exited;
    if (code !== 0) throw new Error(`initdb failed:\n${await this.#tail()}`);
    await rm(passwordFile);
  }

  /** Starts the server if it is down, and waits until it accepts connections. */
  async start(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.running) return;
      for (let attempt = 1; ; attempt++) {
        if (this.#port === undefined || !(await isFree(this.#port))) this.#port = await freePort();
        try {
          await this.#launch(this.#port);
          return;
        } catch (error) {
          const portTaken =
            error instanceof Error && error.message.includes("could not create any TCP/IP sockets");
          if (!portTaken || attempt === 5) throw error;
          this.#port = undefined;
        }
      }
    });
  }

  /** Stops the server by a fast shutdown: every connection drops, and no committed change is lost. */
  async stop(): Promise<void> {
    await this.#end("SIGINT");
  }

  /** Stops the server at once. For a server whose data is removed next. */
  async abandon(): Promise<void> {
    await this.#end("SIGQUIT");
  }

  async #end(signal: "SIGINT" | "SIGQUIT"): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#running === undefined) return;
      const { child, exited } = this.#running;
      child.ref();
      child.kill(signal);
      // A fast shutdown waits until every consumer has received all changes of its slot, which can take for ever.
      const timer = setTimeout(() => child.kill("SIGQUIT"), FAST_SHUTDOWN_MS);
      await exited;
      clearTimeout(timer);
    });
  }

  async #launch(port: number): Promise<void> {
    await this.#write(join(this.data, "sandbox.conf"), this.#configuration(port));
    await this.#write(join(this.data, "pg_hba.conf"), ACCESS);
    await this.#write(join(this.data, "server.crt"), this.site.certificates.certificate);
    await this.#write(join(this.data, "server.key"), this.site.certificates.key);
    const conf = join(this.data, "postgresql.conf");
    const text = await readFile(conf, "utf8");
    if (!text.endsWith(INCLUDE)) await this.#write(conf, text + INCLUDE);

    const logStart = (await readLog(this.log)).length;
    const server = await this.#run("postgres", ["-D", this.data]);
    this.#running = server;
    void server.exited.then(() => (this.#running = undefined));
    while (!(await this.#isReady(server.child.pid))) {
      if (this.#running !== server)
        throw new Error(`PostgreSQL did not start:\n${await this.#tail(logStart)}`);
      await sleep(20);
    }
    // The front door keeps this process alive; the server need not.
    server.child.unref();
  }

  /** Reads `postmaster.pid` as `pg_ctl` does: the first line is the process id, the eighth line is the state. */
  async #isReady(pid: number | undefined): Promise<boolean> {
    const lines = (await readFile(join(this.data, "postmaster.pid"), "utf8").catch(() => "")).split("\n");
    return Number(lines[0]) === pid && lines[7]?.trim() === "ready";
  }

  #configuration(port: number): string {
    const settings: Record<string, string> = {
      listen_addresses: "127.0.0.1",
      port: String(port),
      unix_socket_directories: "",
      ssl: "on",
      wal_level: this.walLevel,
      // Neon's values.
      max_wal_senders: "10",
      max_replication_slots: "10",
      log_connections: "on",
      log_disconnections: "on",
      log_line_prefix: "%m [%p] %q%u@%d ",
      timezone: "GMT",
      log_timezone: "GMT",
      ...this.site.settings,
    };
    return Object.entries(settings)
      .map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
      .join("");
  }

  async #run(program: string, args: readonly string[]): Promise<Running> {
    const log = await open(this.log, "a");
    try {
      const child = this.site.workspace.spawn(join(this.site.binaries, "bin", program), args, {
        ...this.site.workspace.user,
        cwd: this.folder,
        stdio: ["ignore", log.fd, log.fd],
        // Without the variables of this process, because PG* variables change what the programs do.
        env: { PATH: process.env["PATH"], LC_ALL: "C" },
      });
      const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
      await once(child, "spawn");
      return { child, exited };
    } finally {
      await log.close();
    }
  }

  async #write(path: string, text: string): Promise<void> {
    await writeFile(path, text, { mode: 0o600 });
    const { user } = this.site.workspace;
    if (user !== undefined) await chown(path, user.uid, user.gid);
  }

  async #tail(from = 0): Promise<string> {
    const text = (await readLog(this.log)).subarray(from).toString();
    return text.split("\n").slice(-20).join("\n");
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    await result;
  }
}

/** The log; empty if the server has not written one yet. */
async function readLog(path: string): Promise<Buffer> {
  return await readFile(path).catch(() => Buffer.alloc(0));
}

const INCLUDE = "\ninclude 'sandbox.conf'\n";

/** As on Neon, clients need TLS. Only the superuser, who does not use the front door, may connect without it. */
const ACCESS = `
host    all,replication  ${SUPERUSER}  127.0.0.0/8  scram-sha-256
hostssl all,replication  all           127.0.0.0/8  scram-sha-256
`;

/** Makes a folder that belongs to the user that runs PostgreSQL. */
export async function makeFolder(path: string, { user }: Workspace): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  if (user !== undefined) await chown(path, user.uid, user.gid);
}

/**
 * A free port below the range that operating systems use for outgoing connections, so that it is still free after a
 * restart of the server.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_240 + Math.floor(Math.random() * 22_000);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, "127.0.0.1");
  try {
    await once(probe, "listening");
    return (probe.address() as AddressInfo).port === port;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}
