import path from "node:path";
import { cacheFolder, EngineCache } from "./cache";
import { runChild } from "./child";
import type { Engine, Progress } from "./engine";
import { engineOnPath } from "./onPath";
import { buildWithGo, install, type Preparation } from "./prepare";
import { MODULES, SDK } from "./project";
import { type Pins, readPins, usableVersion } from "./versions";
import { firstEngine, type Way } from "./ways";

export type { Engine, Progress } from "./engine";
export { withProgress } from "./progress";
export { PROJECT } from "./project";

const VERSION_MS = 20_000;

/**
 * Finds a Pulumi CLI that this project can be run with, or prepares one: the one on PATH; one that an earlier run
 * prepared; Pulumi's own installer; the build with Go. A prepared one is kept in the user's cache folder (or the
 * folder that `PULUMI_NEON_BEMI_CACHE` names) for later runs and other checkouts.
 *
 * A process that prepares one excludes the others; they wait and use the result. SIGINT, SIGTERM and SIGHUP end the
 * preparation; what is unfinished then counts as nothing.
 *
 * @throws UserError that names every way and why it is not open
 */
export async function findEngine({ progress }: { readonly progress: Progress }): Promise<Engine> {
  const cache = new EngineCache(cacheFolder(process.env));
  const pins = readPins(MODULES);
  return await firstEngine([
    { name: "`pulumi` on PATH", find: () => findOnPath(cache) },
    preparing("Pulumi's installer", "installed", install),
    preparing("The build with Go", "built", buildWithGo),
  ]);

  function preparing(
    name: string,
    origin: PreparedOrigin,
    make: (folder: string, preparation: Preparation) => Promise<void>,
  ): Way {
    const find = async (): Promise<Engine> => {
      const engine = findPrepared(cache, pins);
      if (engine !== undefined) return engine;
      return await cache.exclusively(progress, async (interrupted) => {
        const preparation = { pins, modules: MODULES, sdkFolder: SDK, progress, interrupted };
        const another = findPrepared(cache, pins);
        if (another !== undefined) return another;
        const root = await cache.prepare(folderName(origin, pins), async (folder) => {
          await make(folder, preparation);
          usableVersion(await pulumiVersion(path.join(folder, "bin", "pulumi")));
        });
        return prepared(root, pins, origin);
      });
    };
    return { name, find };
  }
}

type PreparedOrigin = Exclude<Engine["origin"], "path">;

/** Says what a prepared engine is made of, so that other versions, or another machine's, are other engines. */
function folderName(origin: PreparedOrigin, pins: Pins): string {
  const versions = origin === "built" ? `${pins.cli}-host-${pins.nodejsHost}` : pins.cli;
  return `${origin}-${versions}-${process.platform}-${process.arch}`;
}

function findPrepared(cache: EngineCache, pins: Pins): Engine | undefined {
  for (const origin of ["installed", "built"] as const) {
    const root = cache.find(folderName(origin, pins));
    if (root !== undefined) return prepared(root, pins, origin);
  }
  return undefined;
}

function prepared(root: string, pins: Pins, origin: PreparedOrigin): Engine {
  const bin = path.join(root, "bin");
  return {
    command: path.join(bin, "pulumi"),
    root,
    version: pins.cli,
    origin,
    env: {
      PATH: [bin, process.env["PATH"] ?? ""].join(path.delimiter),
      PULUMI_SKIP_UPDATE_CHECK: "true",
    },
  };
}

async function findOnPath(cache: EngineCache): Promise<Engine> {
  return await engineOnPath({
    path: process.env["PATH"] ?? "",
    sdkFolder: SDK,
    rootFor: (bin) => cache.linkTo(bin),
    pulumiVersion,
  });
}

async function pulumiVersion(command: string): Promise<string> {
  const env = { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" };
  return (await runChild(command, ["version"], { env, signal: AbortSignal.timeout(VERSION_MS) })).stdout;
}
