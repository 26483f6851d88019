import { accessSync, constants, realpathSync } from "node:fs";
import path from "node:path";
import { type Engine, Unavailable } from "./engine";
import { usableVersion } from "./versions";

export const HOST = "pulumi-language-nodejs";
export const SHIM = "pulumi-resource-pulumi-nodejs";

/** What the search touches outside; replaced in tests. */
export interface PathProbe {
  /** The user's PATH. */
  readonly path: string;
  /** Where the SDK keeps the shim of the dynamic provider. */
  readonly sdkFolder: string;
  /** Prints the version of the CLI at this path. */
  pulumiVersion(command: string): Promise<string>;
  /** A folder whose `bin` is the given folder. */
  rootFor(binFolder: string): Promise<string>;
}

/**
 * The first `pulumi` on PATH, if it is recent enough and has a host for Node programs.
 * @throws Unavailable
 */
export async function engineOnPath(probe: PathProbe): Promise<Engine> {
  const folders = probe.path.split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  const command = findIn(folders, "pulumi");
  if (command === undefined) throw new Unavailable("there is no `pulumi`");
  const version = usableVersion(await probe.pulumiVersion(command));
  const bin = path.dirname(command);
  // The CLI itself looks on PATH, then beside what it is when links are followed.
  const lookedAt = [...folders, path.dirname(realpathSync(command))];
  if (findIn(lookedAt, HOST) === undefined) {
    throw new Unavailable(`${command} (${version}) has no ${HOST} beside it`);
  }
  const hasShim = findIn(lookedAt, SHIM) !== undefined;
  const searched = hasShim ? probe.path : `${probe.path}${path.delimiter}${probe.sdkFolder}`;
  return {
    command,
    root: path.basename(bin) === "bin" ? path.dirname(bin) : await probe.rootFor(bin),
    version,
    origin: "path",
    env: { PATH: searched, PULUMI_SKIP_UPDATE_CHECK: "true" },
  };
}

function findIn(folders: readonly string[], name: string): string | undefined {
  return folders.map((folder) => path.join(folder, name)).find(isExecutable);
}

/** Whether there is a file at the path that may be run. */
export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
