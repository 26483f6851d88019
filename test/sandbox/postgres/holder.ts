/** A process that keeps a server running until it is ended. Its argument is the version of PostgreSQL. Default: 17. */
import { writeSync } from "node:fs";
import { createCompute } from "../../../sandbox/postgres";
import { whenOrphaned } from "../../../sandbox/orphan";

async function hold(): Promise<void> {
  const orphaned = whenOrphaned();
  const compute = await createCompute({
    profile: "strict",
    pgVersion: process.argv[2] === "16" ? 16 : 17,
    admits: () => true,
    progress: (line) => process.stderr.write(`${line}\n`),
  });
  await compute.createBranch("br-held");
  const rows = await compute.sql<{ pid: number }>(
    "br-held",
    "SELECT (regexp_match(pg_read_file('postmaster.pid'), '^\\d+'))[1]::int AS pid",
  );
  writeSync(1, `${JSON.stringify({ pid: process.pid, folder: compute.folder, postmaster: rows[0]?.pid })}\n`);
  await orphaned;
  await compute.close();
}

void hold();
