import { readFileSync } from "node:fs";
import path from "node:path";
import { coerce, gte, parse, satisfies } from "semver";
import { Unavailable } from "./pulumiCli";

/**
 * The versions of a CLI on PATH that are used. This module reports drift by returning inputs from `read`, which dynamic
 * providers can do since 3.216. The SDK works with CLIs of its own major version only.
 */
const USABLE = ">=3.216.0 <4.0.0";

/** The versions that are installed or built when there is no CLI. */
export interface Pins {
  /** Version of the Pulumi CLI. */
  readonly cli: string;
  /** Version of the host for Node programs. Used by the build with Go only: Pulumi's installer brings its own host. */
  readonly nodejsHost: string;
  /** Versions of the hosts for programs in YAML and Python, which only the tests need. */
  readonly yamlHost: string;
  readonly pythonHost: string;
  /** The oldest version of Go that builds all of them. */
  readonly go: string;
}

/** Reads the versions from the go.mod files of the build, the only place that states them. */
export function readPins(modules: string): Pins {
  const sdk = /^\s*(?:require )?github\.com\/pulumi\/pulumi\/sdk\/v3 v(\S+)/m;
  const pin = (module: string, pattern: RegExp): string => {
    const file = path.join(module, "go.mod");
    const [, version] = pattern.exec(readFileSync(path.join(modules, file), "utf8")) ?? [];
    if (version === undefined) throw new Error(`${file} does not match ${String(pattern)}`);
    return version;
  };
  return {
    cli: pin("cli", sdk),
    nodejsHost: pin("nodejs-host", sdk),
    yamlHost: pin("yaml-host", /github\.com\/pulumi\/pulumi-yaml v(\S+)/),
    pythonHost: pin("python-host", sdk),
    go: pin("cli", /^go (\S+)/m),
  };
}

/**
 * The version that `pulumi version` printed, without a leading `v`.
 * @throws Unavailable if the output is no version, or the version is not supported
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
  // Go prints 1.26rc1 and 1.26, which are no semantic versions. A pre-release counts as its release.
  const [, text] = /\bgo(\d+\.\d+\S*)/.exec(output) ?? [];
  const version = coerce(text);
  return version !== null && gte(version, oldest);
}
