import path from "node:path";
import { cacheFolder, CliCache } from "./cache";
import { runChild } from "./child";
import type { PulumiCli, Progress } from "./pulumiCli";
import { pulumiCliOnPath } from "./onPath";
import type { Preparation } from "./go";
import { buildWithGo, install } from "./prepare";
import { MODULES, RUN_PROGRAM } from "./project";
import { type Pins, readPins, usableVersion } from "./versions";
import { firstOpenWay, type Way } from "./ways";

export type { PulumiCli, Progress } from "./pulumiCli";
export { withProgress } from "./progress";
export { PROJECT } from "./project";

const VERSION_MS = 20_000;

/**
 * Returns a Pulumi CLI that can run this project, and prepares one if there is none. In this order: the CLI on PATH, one
 * that an earlier run prepared, Pulumi's installer, a build with Go. A prepared CLI is kept for later runs and other
 * checkouts, in the user's cache folder or the folder that `PULUMI_NEON_BEMI_CACHE` names.
 *
 * One process prepares a CLI at a time; the others wait and use its result. SIGINT, SIGTERM and SIGHUP end the
 * preparation, and its unfinished folder is removed.
 *
 * @throws UserError that names every way and why it is not open
 */
export async function ensurePulumiCli({ progress }: { readonly progress: Progress }): Promise<PulumiCli> {
  const cache = new CliCache(cacheFolder(process.env));
  const pins = readPins(MODULES);
  return await firstOpenWay([
    { name: "`pulumi` on PATH", get: () => onPath(cache) },
    preparing("Pulumi's installer", "installed", install),
    preparing("The build with Go", "built", buildWithGo),
  ]);

  function preparing(
    name: string,
    origin: PreparedOrigin,
    make: (folder: string, preparation: Preparation) => Promise<void>,
  ): Way {
    const get = async (): Promise<PulumiCli> => {
      const earlier = findPrepared(cache, pins);
      if (earlier !== undefined) return earlier;
      return await cache.exclusively(progress, async (interrupted) => {
        const preparation = { pins, modules: MODULES, progress, interrupted };
        // While this process waited for its turn, another one may have prepared a CLI.
        const meanwhile = findPrepared(cache, pins);
        if (meanwhile !== undefined) return meanwhile;
        const root = await cache.prepare(folderName(origin, pins), async (folder) => {
          await make(folder, preparation);
          usableVersion(await pulumiVersion(path.join(folder, "bin", "pulumi")));
        });
        return prepared(root, pins, origin);
      });
    };
    return { name, get };
  }
}

type PreparedOrigin = Exclude<PulumiCli["origin"], "path">;

/** Names origin, versions and platform of a prepared CLI, so that it is used only where all of them fit. */
function folderName(origin: PreparedOrigin, pins: Pins): string {
  const versions = origin === "built" ? `${pins.cli}-host-${pins.nodejsHost}` : pins.cli;
  return `${origin}-${versions}-${process.platform}-${process.arch}`;
}

function findPrepared(cache: CliCache, pins: Pins): PulumiCli | undefined {
  for (const origin of ["installed", "built"] as const) {
    const root = cache.find(folderName(origin, pins));
    if (root !== undefined) return prepared(root, pins, origin);
  }
  return undefined;
}

function prepared(root: string, pins: Pins, origin: PreparedOrigin): PulumiCli {
  const bin = path.join(root, "bin");
  return {
    command: path.join(bin, "pulumi"),
    root,
    version: pins.cli,
    origin,
    env: {
      PATH: [bin, process.env["PATH"] ?? ""].join(path.delimiter),
      PULUMI_SKIP_UPDATE_CHECK: "true",
      ...(origin === "built" ? { PULUMI_LANGUAGE_NODEJS_RUN_PATH: RUN_PROGRAM } : {}),
    },
  };
}

async function onPath(cache: CliCache): Promise<PulumiCli> {
  return await pulumiCliOnPath({
    path: process.env["PATH"] ?? "",
    rootFor: (bin) => cache.linkTo(bin),
    pulumiVersion,
  });
}

async function pulumiVersion(command: string): Promise<string> {
  const env = { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" };
  return (await runChild(command, ["version"], { env, signal: AbortSignal.timeout(VERSION_MS) })).stdout;
}
