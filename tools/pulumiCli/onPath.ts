import { accessSync, constants, realpathSync } from "node:fs";
import path from "node:path";
import { type PulumiCli, Unavailable } from "./pulumiCli";
import { usableVersion } from "./versions";

/** The program with which the CLI runs Node programs. */
export const HOST = "pulumi-language-nodejs";

/** What the search reads from the machine. Tests pass a replacement. */
export interface PathProbe {
  /** The user's PATH. */
  readonly path: string;
  /** Returns what `pulumi version` prints for the CLI at this path. */
  pulumiVersion(command: string): Promise<string>;
  /** Returns a folder whose `bin` is the given folder. */
  rootFor(binFolder: string): Promise<string>;
}

/**
 * The first `pulumi` on PATH.
 * @throws Unavailable if there is no `pulumi`, its version is not supported, or it has no host for Node programs
 */
export async function pulumiCliOnPath(probe: PathProbe): Promise<PulumiCli> {
  const folders = probe.path.split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  const command = findIn(folders, "pulumi");
  if (command === undefined) throw new Unavailable("there is no `pulumi`");
  const version = usableVersion(await probe.pulumiVersion(command));
  const bin = path.dirname(command);
  // As the CLI does: it looks on PATH, then beside itself with links resolved.
  const lookedAt = [...folders, path.dirname(realpathSync(command))];
  if (findIn(lookedAt, HOST) === undefined) {
    throw new Unavailable(`${command} (${version}) has no ${HOST} beside it`);
  }
  return {
    command,
    root: path.basename(bin) === "bin" ? path.dirname(bin) : await probe.rootFor(bin),
    version,
    origin: "path",
    env: { PATH: probe.path, PULUMI_SKIP_UPDATE_CHECK: "true" },
  };
}

function findIn(folders: readonly string[], name: string): string | undefined {
  return folders.map((folder) => path.join(folder, name)).find(isExecutable);
}

/** Whether the path is a file that this user may execute. */
export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
