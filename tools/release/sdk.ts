/**
 * What the repository's program uses of Pulumi's SDK, from the modules that Pulumi loads to run any program. A name that
 * is missing here makes the build fail.
 */
export * as asset from "@pulumi/pulumi/asset";
export { RunError } from "@pulumi/pulumi/errors";
export { getProject, getStack } from "@pulumi/pulumi/metadata";
export { all, Output, output, secret } from "@pulumi/pulumi/output";
export {
  ComponentResource,
  CustomResource,
  mergeOptions,
  ProviderResource,
  Resource,
} from "@pulumi/pulumi/resource";

import { allConfig } from "@pulumi/pulumi/runtime/config";
import { getEngine } from "@pulumi/pulumi/runtime/settings";

export const runtime = { allConfig, getEngine };
