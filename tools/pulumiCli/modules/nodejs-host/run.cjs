/**
 * Runs a program as Pulumi's host for Node would. The host that can be built with Go is older than the CLI, which no longer
 * tells it the options of Pulumi.yaml: it would load the TypeScript compiler for every program, `typescript: false` or not.
 */
const { existsSync, readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const path = require("node:path");
const process = require("node:process");

/** The text of the nearest Pulumi.yaml at or above the folder in which the host starts the program. */
function projectFile(folder) {
  const file = path.join(folder, "Pulumi.yaml");
  if (existsSync(file)) return readFileSync(file, "utf8");
  const above = path.dirname(folder);
  return above === folder ? "" : projectFile(above);
}

const here = process.cwd();
if (/^\s+typescript:\s*false\s*$/m.test(projectFile(here))) delete process.env.PULUMI_NODEJS_TYPESCRIPT;

const load = createRequire(path.join(here, "Pulumi.yaml"));
load("@pulumi/pulumi/cmd/run");
