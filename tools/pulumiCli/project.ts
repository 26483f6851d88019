import path from "node:path";

const ROOT = path.resolve(__dirname, "..", "..");

/** The project's folder. This file runs in tools/pulumiCli and, compiled, in dist/tools/pulumiCli. */
export const PROJECT = path.basename(ROOT) === "dist" ? path.dirname(ROOT) : ROOT;

/** The folder of the Go modules that the CLI is built from. */
export const MODULES = path.join(PROJECT, "tools", "pulumiCli", "modules");

/**
 * What the host for Node that is built with Go runs instead of the SDK: it makes that host obey `typescript: false` of
 * Pulumi.yaml.
 */
export const RUN_PROGRAM = path.join(MODULES, "nodejs-host", "run.cjs");
