import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { PROJECT } from "../../tools/pulumiCli";

/** A runtime without a language host: the engine looks for the program `pulumi-analyzer-policy-` and this name then. */
const RUNTIME = "script";

/** Where {@link installPolicyPack} has put things. */
interface PolicyPack {
  /** The folder of the pack, for `--policy-pack`. */
  readonly folder: string;
  /** To be put into PATH. */
  readonly bin: string;
}

/**
 * Copies the pack of examples/policies into a folder, with the packages that it needs. Not every language host can start a
 * policy pack, so a script starts this one, as the hosts do: by the program `run-policy-pack` of the SDK.
 */
export function installPolicyPack(into: string): PolicyPack {
  const pack = { folder: path.join(into, "policies"), bin: path.join(into, "policies-bin") };
  cpSync(path.join(PROJECT, "examples", "policies"), pack.folder, { recursive: true });
  symlinkSync(path.join(PROJECT, "node_modules"), path.join(pack.folder, "node_modules"));
  const project = path.join(pack.folder, "PulumiPolicy.yaml");
  writeFileSync(project, readFileSync(project, "utf8").replace(/^runtime: nodejs$/m, `runtime: ${RUNTIME}`));
  mkdirSync(pack.bin);
  const script = path.join(pack.bin, `pulumi-analyzer-policy-${RUNTIME}`);
  writeFileSync(script, '#!/bin/sh\nexec node node_modules/@pulumi/pulumi/cmd/run-policy-pack "$1" "$2"\n');
  chmodSync(script, 0o755);
  return pack;
}
