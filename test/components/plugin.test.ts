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

const ADVICE = /^Nothing says where the plugin neon-bemi is/;

test.each([
  "name: neon-bemi\nruntime: nodejs\n",
  "name: shop\nruntime: nodejs\ndescription: an audit trail with neon-bemi\n",
  "name: shop\nruntime: nodejs\nconfig:\n  neon-bemi:apiUrl: https://console.neon.tech/api/v2\n",
  "name: shop\nruntime: nodejs\nplugins:\n  providers:\n    - name: neon-bemi-other\n      path: x\n",
])("a project file that has the plugin's name elsewhere is told the lines too: %j", (content) => {
  write(path.join(project, "Pulumi.yaml"), content);
  expect(missingLines(project, env)).toMatch(ADVICE);
});

test.each([
  "plugins:\n  providers:\n    - { name: neon-bemi, path: x }\n",
  "plugins:\n  providers:\n    - name: neon-bemi\n      path: x\n",
  "plugins:\r\n  providers:\r\n  - path: x\r\n    name: 'neon-bemi'\r\n",
  'plugins: {"providers": [{"name": "neon-bemi", "path": "x"}]}\n',
  "packages:\n  neon-bemi: ./node_modules/pulumi-neon-bemi\n",
])("a project file that names the plugin is told nothing: %j", (lines) => {
  write(path.join(project, "Pulumi.yaml"), `name: shop\nruntime: nodejs\n${lines}`);
  expect(missingLines(project, env)).toBeUndefined();
});

test.each<[what: string, prepare: () => void]>([
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
