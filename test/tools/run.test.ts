import { mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { PROJECT } from "../../tools/pulumiCli/project";
import { type Finished, node, smallProject } from "./smallProject";
import { removeScratch, write } from "../support/scratch";

let project: string;

beforeEach(() => {
  project = smallProject();
  writeLock("1.0.0");
});

afterEach(removeScratch);

function writeLock(version: string): void {
  const packages = { "": {}, "node_modules/a": { version }, "node_modules/b": { version, optional: true } };
  write(path.join(project, "package-lock.json"), JSON.stringify({ packages }));
}

/** Runs a command with a fake `npm ci`, which logs its call, prints to stdout, and installs links to this project. */
function run(...args: readonly string[]): Promise<Finished> {
  const npm = path.join(project, "npm-cli.js");
  write(
    npm,
    `const fs = require("fs");
fs.appendFileSync("npm-calls", process.argv.slice(2).join(" ") + "\\n");
console.log("added 1 package");
if (fs.existsSync("no-network")) process.exit(1);
fs.rmSync("node_modules", { recursive: true, force: true });
fs.mkdirSync("node_modules/@types", { recursive: true });
for (const name of ["typescript", "@types/node", "undici-types"])
  fs.symlinkSync(${JSON.stringify(path.join(PROJECT, "node_modules"))} + "/" + name, "node_modules/" + name);
const { packages } = JSON.parse(fs.readFileSync("package-lock.json"));
delete packages["node_modules/b"];
fs.writeFileSync("node_modules/.package-lock.json", JSON.stringify({ packages }));`,
  );
  return node(project, ["tools/run.mjs", ...args], { npm_execpath: npm });
}

function npmCalls(): string[] {
  return readFileSync(path.join(project, "npm-calls"), "utf8").trim().split("\n");
}

describe("the first command of a fresh clone", () => {
  it("installs, compiles and runs, and leaves stdout to the command", async () => {
    const first = await run("start", "--keep", "x");
    expect(first).toMatchObject({ code: 7, stdout: "--keep,x\n" });
    expect(first.stderr).toContain("Installing the dependencies");
    expect(first.stderr).toContain("Compiling the sources");
    expect(npmCalls()).toEqual([expect.stringMatching(/^ci --include=dev/)]);

    await expect(run("start")).resolves.toEqual({ code: 7, stdout: "\n", stderr: "" });
  });

  it("installs once when it runs twice at the same time", async () => {
    const both = await Promise.all([run("start", "1"), run("start", "2")]);
    expect(both.map(({ code, stdout }) => [code, stdout])).toEqual([
      [7, "1\n"],
      [7, "2\n"],
    ]);
    expect(npmCalls()).toHaveLength(1);
  });

  it("stops when the install fails, and says so", async () => {
    write(path.join(project, "no-network"), "");
    const failed = await run("start");
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toContain("`npm ci` failed with exit code 1");
  });
});

describe("a later command", () => {
  it("installs again after package-lock.json changed or an install was interrupted", async () => {
    await run("start");
    writeLock("2.0.0");
    await run("start");
    expect(npmCalls()).toHaveLength(2);
    rmSync(path.join(project, "node_modules", ".package-lock.json"));
    await run("start");
    expect(npmCalls()).toHaveLength(3);
  });

  it("compiles again after a source has changed", async () => {
    await run("start");
    const start = "export const main = () => { console.log('new'); return Promise.resolve(0); };";
    write(path.join(project, "tools", "start", "main.ts"), start);
    const second = await run("start");
    expect(second).toMatchObject({ code: 0, stdout: "new\n" });
    expect(second.stderr).toBe("Compiling the sources (a few seconds).\n");
  });

  it("does not run sources that do not compile", async () => {
    write(path.join(project, "bench", "wrong.ts"), "export const wrong: number = '';");
    const failed = await run("start");
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toContain("The sources do not compile");
  });
});

describe("a command", () => {
  it("that does not exist is refused with a list of the commands", async () => {
    const failed = await run("stat");
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toBe(
      'There is no command "stat". Commands: start, sandbox, pulumi, plan, pull-request, release, bench, tools-check, test.\n',
    );
  });

  it("shows only the message of a user's mistake, and the stack of a bug", async () => {
    const throwing = (error: string) =>
      `import { UserError } from "../../provider/contract/errors";
       export const main = (): Promise<number> => Promise.reject(new ${error});
       void UserError;`;
    write(path.join(project, "tools", "start", "main.ts"), throwing('UserError("do this")'));
    await run("start");
    await expect(run("start")).resolves.toEqual({ code: 1, stdout: "", stderr: "do this\n" });
    write(path.join(project, "tools", "start", "main.ts"), throwing('TypeError("a bug")'));
    expect((await run("start")).stderr).toMatch(/TypeError: a bug\n\s+at main/);
  });

  it("`test` passes on its arguments and the exit code of jest", async () => {
    await run("start");
    mkdirSync(path.join(project, "node_modules", "jest", "bin"), { recursive: true });
    const jest = "console.log(process.argv.slice(2).join()); process.exitCode = 5;";
    write(path.join(project, "node_modules", "jest", "bin", "jest.js"), jest);
    await expect(run("test", "-t", "name")).resolves.toMatchObject({ code: 5, stdout: "-t,name\n" });
  });
});
