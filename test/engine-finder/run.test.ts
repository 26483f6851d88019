import { mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { PROJECT } from "../../tools/engine/project";
import { type Finished, node, smallProject } from "./project";
import { removeScratch, write } from "./scratch";

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

/** Runs a command with an `npm ci` that notes its call, talks on stdout, and installs by links to this project. */
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
  it("installs, compiles, runs, and keeps stdout for the command", async () => {
    const first = await run("start", "--keep", "x");
    expect(first).toMatchObject({ code: 7, stdout: "--keep,x\n" });
    expect(first.stderr).toContain("Installing the dependencies");
    expect(first.stderr).toContain("Compiling the sources");
    expect(npmCalls()).toEqual([expect.stringMatching(/^ci --include=dev/)]);

    await expect(run("start")).resolves.toEqual({ code: 7, stdout: "\n", stderr: "" });
  });

  it("given twice at once installs once", async () => {
    const both = await Promise.all([run("start", "1"), run("start", "2")]);
    expect(both.map(({ code, stdout }) => [code, stdout])).toEqual([
      [7, "1\n"],
      [7, "2\n"],
    ]);
    expect(npmCalls()).toHaveLength(1);
  });

  it("says so when the install fails, and does not go on", async () => {
    write(path.join(project, "no-network"), "");
    const failed = await run("start");
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toContain("`npm ci` failed with exit code 1");
  });
});

describe("a later command", () => {
  it("installs again when package-lock.json lists something else, or an install was broken off", async () => {
    await run("start");
    writeLock("2.0.0");
    await run("start");
    expect(npmCalls()).toHaveLength(2);
    rmSync(path.join(project, "node_modules", ".package-lock.json"));
    await run("start");
    expect(npmCalls()).toHaveLength(3);
  });

  it("compiles again when a source has changed", async () => {
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
  it("that does not exist is named with those that do", async () => {
    const failed = await run("stat");
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toBe(
      'There is no command "stat". Commands: start, sandbox, pulumi, bench, test.\n',
    );
  });

  it("that fails by a user's mistake shows the message alone, by a bug the stack", async () => {
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

  it("`test` passes its arguments and the exit code of jest", async () => {
    await run("start");
    mkdirSync(path.join(project, "node_modules", "jest", "bin"), { recursive: true });
    const jest = "console.log(process.argv.slice(2).join()); process.exitCode = 5;";
    write(path.join(project, "node_modules", "jest", "bin", "jest.js"), jest);
    await expect(run("test", "-t", "name")).resolves.toMatchObject({ code: 5, stdout: "-t,name\n" });
  });
});
