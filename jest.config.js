/** @type {import("jest").Config} */
module.exports = {
  testEnvironment: "node",
  roots: ["<rootDir>/test"],
  testMatch: ["**/*.test.ts"],
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
