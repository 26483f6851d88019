/**
 * Keeps what V8 makes of the plugin's bundle, so that the plugin starts without compiling it:
 * `node tools/codeCache.mjs BUNDLE CACHE`. The plugin runs until it prints its port, and all functions that have run by
 * then are kept.
 *
 * V8 tells by the length of a source whether the cache belongs to it. So whoever writes the bundle removes the cache first.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import path from "node:path";
import { Script } from "node:vm";

const [bundle, cache] = process.argv.splice(2);
// The bundle is ASCII, and is read as pulumi-resource-neon-bemi reads it.
const script = new Script(Module.wrap(readFileSync(bundle, "latin1")), { filename: bundle });
process.stdout.write = () => {
  mkdirSync(path.dirname(cache), { recursive: true });
  writeFileSync(cache, script.createCachedData());
  process.exit();
};
script.runInThisContext()({}, createRequire(bundle), {}, bundle, path.dirname(bundle));
