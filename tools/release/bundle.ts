import path from "node:path";
import type { Plugin } from "esbuild";

/** The programs of the bundle, by the name of their file in it. */
const PROGRAMS = { main: "main.ts", constructServer: "constructServer.ts" } as const;

/**
 * Packages that the SDK loads for functions written in a program, for dynamic resources and for finding out what a
 * program depends on. The bundle does none of that, and they are four fifths of what the SDK would bring along.
 */
const UNUSED = ["typescript", "ts-node", "@npmcli/arborist", "@pulumi/query"];

/** A module that may be loaded, and says what is wrong when something of it is called. */
const STUB = `
const unused = () => { throw new Error("This module is not part of the bundle of pulumi-neon-bemi."); };
const stub = new Proxy(unused, { get: (_, key) => (key === "__esModule" ? false : stub) });
module.exports = stub;
`;

const stubs: Plugin = {
  name: "stubs",
  setup: (build) => {
    const filter = new RegExp(`^(${UNUSED.join("|")})(/|$)`);
    build.onResolve({ filter }, ({ path: name }) => ({ path: name, namespace: "stub" }));
    build.onLoad({ filter: /.*/, namespace: "stub" }, () => ({ contents: STUB, loader: "js" }));
  },
};

/** Bundles the programs of the plugin into single files that need nothing but Node. */
export async function bundle(project: string, folder: string): Promise<void> {
  // Loaded here, because only a release needs it.
  const { build } = await import("esbuild");
  await build({
    absWorkingDir: project,
    entryPoints: Object.fromEntries(
      Object.entries(PROGRAMS).map(([name, file]) => [name, path.join("provider", "plugin", file)]),
    ),
    outdir: folder,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    // Smaller and quicker to load. Names stay, because error messages show them.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "linked",
    // The driver loads it only where it is installed.
    external: ["pg-native"],
    plugins: [stubs],
    logLevel: "error",
  });
}
