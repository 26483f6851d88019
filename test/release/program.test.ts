import { readFileSync } from "node:fs";
import path from "node:path";
import { bundleProgram } from "../../tools/release/bundle";
import { PROJECT } from "../../tools/pulumiCli/project";
import { removeScratch, scratch } from "../support/scratch";

afterEach(removeScratch);

test("the program loads of Pulumi's SDK only what runs any program", async () => {
  const folder = scratch();
  await bundleProgram(PROJECT, folder);
  const bundle = readFileSync(path.join(folder, "index.js"), "utf8");
  const loaded = [...bundle.matchAll(/require\("(@pulumi\/[^"]+)"\)/g)].map(([, name]) => name).sort();
  expect(loaded).toEqual([
    "@pulumi/pulumi/asset",
    "@pulumi/pulumi/errors",
    "@pulumi/pulumi/metadata",
    "@pulumi/pulumi/output",
    "@pulumi/pulumi/proto/resource_pb",
    "@pulumi/pulumi/resource",
    "@pulumi/pulumi/runtime/config",
    "@pulumi/pulumi/runtime/settings",
  ]);
});
