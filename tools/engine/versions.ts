import { readFileSync } from "node:fs";
import path from "node:path";
import { coerce, gte, parse, satisfies } from "semver";
import { Unavailable } from "./engine";

/**
 * CLIs that are used where they are found. 3.216 is the first whose dynamic providers may return inputs from `read`,
 * which is how this module reports drift; the SDK talks to CLIs of its own major version only.
 */
const USABLE = ">=3.216.0 <4.0.0";

/** What is installed or built where there is no CLI. */
export interface Pins {
  /** Of the Pulumi CLI. */
  readonly cli: string;
  /** Of the host for Node programs; only for the build, an installed CLI brings its own. */
  readonly nodejsHost: string;
  /** The oldest Go that builds both. */
  readonly go: string;
}

/** Reads the versions from the go.mod files of the build, so that they are written down in one place. */
export function readPins(modules: string): Pins {
  const cli = readFileSync(path.join(modules, "cli", "go.mod"), "utf8");
  const host = readFileSync(path.join(modules, "nodejs-host", "go.mod"), "utf8");
  const sdk = /^\s*(?:require )?github\.com\/pulumi\/pulumi\/sdk\/v3 v(\S+)/m;
  return {
    cli: capture(cli, sdk, "cli/go.mod"),
    nodejsHost: capture(host, sdk, "nodejs-host/go.mod"),
    go: capture(cli, /^go (\S+)/m, "cli/go.mod"),
  };
}

function capture(text: string, pattern: RegExp, file: string): string {
  const [, version] = pattern.exec(text) ?? [];
  if (version === undefined) throw new Error(`${file} does not match ${String(pattern)}`);
  return version;
}

/**
 * The version in the output of `pulumi version`.
 * @throws Unavailable if this project cannot be run with it
 */
export function usableVersion(output: string): string {
  const version = parse(output.trim());
  if (version === null) throw new Unavailable(`\`pulumi version\` printed "${output.trim().slice(0, 80)}"`);
  if (!satisfies(version, USABLE, { includePrerelease: true })) {
    throw new Unavailable(`version ${version.version} is not in the range ${USABLE}`);
  }
  return version.version;
}

/** Whether the output of `go version` names a Go that is recent enough. */
export function isGoUsable(output: string, oldest: string): boolean {
  // Go writes 1.26rc1 and 1.26, which are no semantic versions; a pre-release will do.
  const [, text] = /\bgo(\d+\.\d+\S*)/.exec(output) ?? [];
  const version = coerce(text);
  return version !== null && gte(version, oldest);
}
