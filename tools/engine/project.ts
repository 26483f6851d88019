import path from "node:path";

const ROOT = path.resolve(__dirname, "..", "..");

/** The project's folder, seen from tools/engine and from dist/tools/engine. */
export const PROJECT = path.basename(ROOT) === "dist" ? path.dirname(ROOT) : ROOT;

/** The Go modules that `go build` is run in. */
export const MODULES = path.join(PROJECT, "tools", "engine", "modules");

/** The folder of the installed SDK, where the shim of the dynamic provider lies. */
export const SDK = path.dirname(require.resolve("@pulumi/pulumi/package.json"));
