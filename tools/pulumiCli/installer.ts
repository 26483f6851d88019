import { PulumiCommand } from "@pulumi/pulumi/automation";
import { SemVer } from "semver";

/**
 * Runs Pulumi's installer as a separate program (`node installer.js FOLDER VERSION`), so that the installer and the
 * downloads it starts can be ended together.
 */
const [root, version] = process.argv.slice(2);
if (root === undefined || version === undefined) throw new Error("Usage: installer FOLDER VERSION");

PulumiCommand.install({ root, version: new SemVer(version) }).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
