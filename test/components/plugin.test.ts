import { mkdirSync } from "node:fs";
import path from "node:path";
import { missingLines } from "../../components/plugin";
import { removeScratch, scratch, script, write } from "../support/scratch";

let project: string;
let env: Record<string, string>;

beforeEach(() => {
  project = scratch();
  env = { PATH: path.join(project, "bin"), PULUMI_HOME: path.join(project, "home") };
  write(path.join(project, "Pulumi.yaml"), "name: shop\nruntime: nodejs\n");
});

afterEach(removeScratch);

test("a project that does not name the plugin is told the lines that it needs", () => {
  expect(missingLines(project, env)).toBe(
    `Nothing says where the plugin neon-bemi is. Unless Pulumi finds it nevertheless, add these lines to ${project}/Pulumi.yaml:
plugins:
  providers:
    - { name: neon-bemi, path: node_modules/pulumi-neon-bemi }`,
  );
});

test("in a workspace, the path leads to where the package is, also from a program's folder", () => {
  const member = path.join(project, "packages", "audit");
  write(path.join(member, "Pulumi.yml"), "name: audit\nruntime: nodejs\nmain: src\n");
  mkdirSync(path.join(member, "src"));
  mkdirSync(path.join(project, "node_modules", "pulumi-neon-bemi"), { recursive: true });
  expect(missingLines(path.join(member, "src"), env)).toContain(
    "{ name: neon-bemi, path: ../../node_modules/pulumi-neon-bemi }",
  );
});

test.each<[what: string, prepare: () => void]>([
  [
    "is named in Pulumi.yaml",
    () => {
      write(
        path.join(project, "Pulumi.yaml"),
        "plugins:\n  providers:\n    - { name: neon-bemi, path: x }\n",
      );
    },
  ],
  [
    "is on PATH",
    () => {
      script(path.join(project, "bin", "pulumi-resource-neon-bemi"), "");
    },
  ],
  [
    "is installed",
    () => mkdirSync(path.join(project, "home", "plugins", "resource-neon-bemi-v0.1.0"), { recursive: true }),
  ],
  ["is being debugged", () => (env["PULUMI_DEBUG_PROVIDERS"] = "neon-bemi:1234")],
])("nothing is said when the plugin %s", (_what, prepare) => {
  prepare();
  expect(missingLines(project, env)).toBeUndefined();
});
