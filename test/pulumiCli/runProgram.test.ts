import { execFileSync } from "node:child_process";
import path from "node:path";
import { RUN_PROGRAM } from "../../tools/pulumiCli/project";
import { removeScratch, scratch, write } from "../support/scratch";

afterEach(removeScratch);

/** What the SDK learns from the older host that runs a program in a folder below a project. */
function seen(runtime: string): string {
  const folder = scratch();
  write(path.join(folder, "Pulumi.yaml"), `name: shop\n${runtime}`);
  write(
    path.join(folder, "node_modules", "@pulumi", "pulumi", "cmd", "run", "index.js"),
    'console.log(process.env.PULUMI_NODEJS_TYPESCRIPT, process.argv.slice(2).join(" "));',
  );
  write(path.join(folder, "dist", "index.js"), "");
  return execFileSync(process.execPath, [RUN_PROGRAM, "--pwd", "."], {
    cwd: path.join(folder, "dist"),
    env: { PULUMI_NODEJS_TYPESCRIPT: "true" },
    encoding: "utf8",
  });
}

test("does not load the compiler for a program with typescript: false", () => {
  expect(seen("runtime:\n  name: nodejs\n  options:\n    typescript: false\n")).toBe("undefined --pwd .\n");
});

test.each(["runtime: nodejs\n", "runtime:\n  name: nodejs\n  options:\n    typescript: true\n"])(
  "loads the compiler for a program with %j",
  (runtime) => {
    expect(seen(runtime)).toBe("true --pwd .\n");
  },
);
