/** They test ReplicationRole. Before PostgreSQL 16, the owner of a database cannot make such a role. */
const NEED_SQL_ROLES = ["test/postgres/role/(neonProxy|preview|replicationRole)\\.test"];
/** Before PostgreSQL 15, a test cannot have statistics written at once (`pg_stat_force_next_flush`). */
const NEED_FLUSHED_STATISTICS = ["test/commands/wal\\.test"];
const { TEST_POSTGRES } = require("node:process").env;
const [version = "17"] = (TEST_POSTGRES ?? "17").split(",");

/** @type {import("jest").Config} */
module.exports = {
  testEnvironment: "node",
  roots: ["<rootDir>/test"],
  testMatch: ["**/*.test.ts"],
  testPathIgnorePatterns: [
    "/node_modules/",
    ...(Number(version) < 16 ? NEED_SQL_ROLES : []),
    ...(Number(version) < 15 ? NEED_FLUSHED_STATISTICS : []),
  ],
  transform: {
    "\\.ts$": [
      "@swc/jest",
      { jsc: { target: "es2022", parser: { syntax: "typescript" } }, module: { type: "commonjs" } },
    ],
  },
  testTimeout: 120_000,
  // The servers and engines that the tests start leave half of each core idle: measured on two cores, 21 minutes instead
  // of 29 with one worker.
  maxWorkers: 2,
  // A timer that a client library leaves behind must not hang a finished run for ever. What a test itself started, it
  // ends itself.
  forceExit: true,
};
