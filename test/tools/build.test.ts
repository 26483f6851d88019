import { appendFileSync, cpSync, existsSync, readFileSync, renameSync, rmSync, utimesSync } from "node:fs";
import path from "node:path";
import { type Finished, linkDependencies, node, smallProject } from "./smallProject";
import { removeScratch, scratch, write } from "../support/scratch";

/** A time of change that a test gives to a source, in seconds since 1970. */
const OLD = 1e9;

let built: string;
let project: string;

beforeAll(async () => {
  built = smallProject();
  linkDependencies(built);
  await node(built, ["tools/build.mjs"]);
});

/** Each test gets its own copy of the built project. */
beforeEach(() => {
  project = scratch();
  cpSync(built, project, { recursive: true, verbatimSymlinks: true });
});

afterAll(removeScratch);

function build(): Promise<Finished> {
  return node(project, ["tools/build.mjs"]);
}

/** Runs the check that the plugin process runs when it loads the compiled provider. */
function load(folder = project): Promise<Finished> {
  return node(folder, ["-e", 'require("./dist/provider/plugin/freshness.js").assertFresh()']);
}

/** Notes the times of the copied sources, as the build does. */
function noteTimes(): Promise<Finished> {
  const text = 'require("./dist/provider/plugin/freshness.js").timesText(process.cwd())';
  return node(project, ["-e", `require("fs").writeFileSync("dist/sources.times", ${text})`]);
}

function dist(file: string): string {
  return path.join(project, "dist", file);
}

describe("the build", () => {
  it("compiles and copies SQL files, and its result counts as fresh", async () => {
    expect(readFileSync(dist("sandbox/roles.sql"), "utf8")).toBe("select 1;");
    await expect(load()).resolves.toMatchObject({ code: 0 });
  });

  it("removes the output of deleted sources", async () => {
    write(path.join(project, "provider", "old.ts"), "export const old = 1;");
    await build();
    expect(existsSync(dist("provider/old.js"))).toBe(true);
    rmSync(path.join(project, "provider", "old.ts"));
    rmSync(path.join(project, "sandbox", "roles.sql"));
    await build();
    for (const file of ["provider/old.js", "provider/old.d.ts", "sandbox/roles.sql"]) {
      expect(existsSync(dist(file))).toBe(false);
    }
    expect(existsSync(dist("provider/plugin/freshness.js"))).toBe(true);
  });

  it("compiles everything again after dist was removed or emptied", async () => {
    rmSync(dist("provider"), { recursive: true });
    await build();
    await expect(load()).resolves.toMatchObject({ code: 0 });
    rmSync(path.join(project, "dist"), { recursive: true });
    await build();
    await expect(load()).resolves.toMatchObject({ code: 0 });
  });

  it("leaves a dist that is refused if the sources do not compile", async () => {
    appendFileSync(
      path.join(project, "provider", "contract", "errors.ts"),
      "\nexport const wrong: number = 'text';\n",
    );
    const failed = await build();
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toContain("TS2322");
    const refused = await load();
    expect(refused.stderr).toContain("npm run build");
  });

  it("runs one after the other when it is started twice at once", async () => {
    const [one, two] = await Promise.all([build(), build()]);
    expect([one.code, two.code]).toEqual([0, 0]);
    expect(one.stderr + two.stderr).toBe("Another process is compiling; waiting for it.\n");
    await expect(load()).resolves.toMatchObject({ code: 0 });
  });

  it("compiles again when a source changes during the compilation", async () => {
    // A fake compiler runs the real one and then, the first time, edits a source that was compiled already.
    const modules = path.join(project, "node_modules");
    const real = path.join(modules, "real-typescript");
    renameSync(path.join(modules, "typescript"), real);
    const bin = path.join(modules, "typescript", "bin", "tsc");
    const source = path.join(project, "provider", "contract", "errors.ts");
    write(
      bin,
      `const { spawnSync } = require("child_process");
const { appendFileSync, existsSync, writeFileSync } = require("fs");
const { status } = spawnSync(process.execPath, [${JSON.stringify(path.join(real, "bin", "tsc"))}, ...process.argv.slice(2)], { stdio: "inherit" });
if (!existsSync("edited")) {
  writeFileSync("edited", "");
  appendFileSync(${JSON.stringify(source)}, "export const late = 1;");
}
process.exitCode = status;`,
    );
    const built = await build();
    expect(built.stderr).toContain("compiling again");
    expect(built.code).toBe(0);
    expect(readFileSync(dist("provider/contract/errors.js"), "utf8")).toContain("late");
    await expect(load()).resolves.toMatchObject({ code: 0 });
  });
});

describe("compiled provider code", () => {
  it.each(["provider/contract/errors.ts", "tsconfig.json"])(
    "is refused after %s has changed",
    async (file) => {
      appendFileSync(path.join(project, file), "\n");
      const refused = await load();
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain("UserError: The provider's sources changed since they were built.");
    },
  );

  it("is refused after a source was added", async () => {
    write(path.join(project, "components", "added.ts"), "export {};");
    await expect(load()).resolves.toMatchObject({ code: 1 });
  });

  it("is accepted without a look into the sources, as long as nothing has written to them", async () => {
    await noteTimes();
    // What the build found in them is forgotten.
    write(dist("sources.sha256"), "");
    await expect(load()).resolves.toMatchObject({ code: 0 });
  });

  it.each([
    [
      "a source was changed and got back its size and its time",
      (source: string) => {
        write(source, readFileSync(source, "utf8").replace("export", "expert"));
        utimesSync(source, OLD, OLD);
      },
    ],
    [
      "a source was added to untouched ones",
      (source: string) => {
        write(`${source}.added.ts`, "export {};");
      },
    ],
    [
      "a source was removed",
      (source: string) => {
        rmSync(source);
      },
    ],
  ])("is refused after %s", async (_, change) => {
    const source = path.join(project, "provider", "contract", "errors.ts");
    utimesSync(source, OLD, OLD);
    await noteTimes();
    change(source);
    await expect(load()).resolves.toMatchObject({ code: 1 });
  });

  it("is accepted after a change outside the provider's sources", async () => {
    write(path.join(project, "sandbox", "other.ts"), "export {};");
    await expect(load()).resolves.toMatchObject({ code: 0 });
  });

  it("is accepted without sources beside it, as in an installed package", async () => {
    rmSync(path.join(project, "provider"), { recursive: true });
    rmSync(dist("sources.sha256"));
    await expect(load()).resolves.toMatchObject({ code: 0 });
  });
});
