import path from "node:path";
import type { BuildOptions, Plugin } from "esbuild";

/** The programs of the plugin, by the name of their file in the bundle. */
const PLUGIN = { main: "main.ts", constructServer: "constructServer.ts" } as const;

/**
 * Packages that are not called, and what is loaded by mistake with them. The SDK loads four of them for functions written
 * in a program, for dynamic resources and for finding out what a program depends on: they are four fifths of what it would
 * bring along. axios loads the others for forms and for `fetch`, which makes Node load its own HTTP client besides.
 */
const UNUSED = /^(typescript|ts-node|@npmcli\/arborist|@pulumi\/query|form-data)(\/|$)/;
const AXIOS_ADAPTERS = path.join("axios", "lib", "adapters");

/** A module that may be loaded, and says what is wrong when something of it is called. */
const STUB = `
const unused = () => { throw new Error("This module is not part of the bundle of pulumi-neon-bemi."); };
const stub = new Proxy(unused, { get: (_, key) => (key === "__esModule" ? false : stub) });
module.exports = stub;
`;

const stubs: Plugin = {
  name: "stubs",
  setup: (build) => {
    const stub = (name: string) => ({ path: name, namespace: "stub" });
    build.onResolve({ filter: UNUSED }, ({ path: name }) => stub(name));
    build.onResolve({ filter: /^\.\/fetch\.js$/ }, ({ path: name, resolveDir }) =>
      resolveDir.endsWith(AXIOS_ADAPTERS) ? stub(name) : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "stub" }, () => ({ contents: STUB, loader: "js" }));
  },
};

/**
 * Takes Pulumi's SDK from the file sdk.ts beside this one, which names what the program uses of it: the index of the SDK
 * also loads the Automation API and what serialises functions, which takes as long as everything else.
 */
const leanSdk: Plugin = {
  name: "leanSdk",
  setup: (build) => {
    build.onResolve({ filter: /^@pulumi\/pulumi$/ }, () => ({
      path: path.join(build.initialOptions.absWorkingDir ?? "", "tools", "release", "sdk.ts"),
    }));
  },
};

const COMMON: BuildOptions = {
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  // Smaller and quicker to load. Names stay, because error messages show them.
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "linked",
  logLevel: "error",
};

/** Bundles the programs of the plugin into single files that need nothing but Node. */
export async function bundlePlugin(project: string, folder: string): Promise<void> {
  // Loaded here, because only a build needs it.
  const { build } = await import("esbuild");
  await build({
    ...COMMON,
    absWorkingDir: project,
    entryPoints: Object.fromEntries(
      Object.entries(PLUGIN).map(([name, file]) => [name, path.join("provider", "plugin", file)]),
    ),
    outdir: folder,
    // The driver loads it only where it is installed.
    external: ["pg-native"],
    // axios and pg ask whether these are there, and the question makes Node load an HTTP client that nothing uses.
    banner: { js: "delete globalThis.FormData; delete globalThis.Response;" },
    plugins: [stubs],
  });
}

/**
 * Bundles the repository's program, index.ts, into one file that needs Pulumi's SDK and nothing else. Pulumi's host would
 * load the compiler in every command, and then some hundred files.
 */
export async function bundleProgram(project: string, folder: string): Promise<void> {
  const { build } = await import("esbuild");
  await build({
    ...COMMON,
    absWorkingDir: project,
    entryPoints: { index: "index.ts" },
    outdir: folder,
    plugins: [leanSdk],
    // The SDK that runs the program has loaded these modules already.
    external: ["@pulumi/pulumi/*"],
    // The build fails where sdk.ts lacks a name.
    logOverride: { "import-is-undefined": "error" },
    // Pulumi records where a program declares a resource, and `neon-bemi plan --format sarif` points there.
    sourcemap: "linked",
    sourcesContent: false,
  });
}
