import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { CommandMemory } from "../../provider/plugin/commandMemory";
import { PrivateFolder, privatePath } from "../../provider/plugin/privateFolder";

let scratch: string;
let folder: string;
let asked: number;

beforeEach(() => {
  scratch = realpathSync(mkdtempSync(path.join(tmpdir(), "neon-bemi-command-")));
  folder = path.join(scratch, "memory");
  asked = 0;
});

afterEach(() => {
  rmSync(scratch, { recursive: true });
});

const ANSWERS = ["ok", "wrong password", "may not log in"];
const ask = (): Promise<string> => Promise.resolve(ANSWERS[asked++] ?? "");
const memory = (command: number | undefined = process.pid, user?: number): CommandMemory =>
  new CommandMemory(command, new PrivateFolder(folder, user));

/** The only file that a first process has left. */
async function left(): Promise<string> {
  await memory().once("role", ask);
  const [name = ""] = readdirSync(folder);
  return path.join(folder, name);
}

test("gives the second process of a command the first one's answer, and leaves no file", async () => {
  expect(await memory().once("role", ask)).toBe("ok");
  expect(lstatSync(folder).mode & 0o777).toBe(0o700);
  expect(readdirSync(folder).map((name) => lstatSync(path.join(folder, name)).mode & 0o777)).toEqual([0o600]);
  expect(await memory().once("role", ask)).toBe("ok");
  expect(readdirSync(folder)).toEqual([]);
});

test("asks each question once within a process", async () => {
  const process = new CommandMemory(undefined);
  expect(await Promise.all([process.once("a", ask), process.once("a", ask), process.once("b", ask)])).toEqual(
    ["ok", "ok", "wrong password"],
  );
});

test("asks again for another command, and removes the files of finished commands and old files", async () => {
  mkdirSync(folder, { mode: 0o700 });
  const hash = "0".repeat(64);
  const files = {
    [`4194304999-${hash}`]: 0,
    [`${process.pid}-${hash}`]: 3_600,
    [`1-${hash}`]: -3_600,
    other: 0,
  };
  for (const [name, age] of Object.entries(files)) {
    writeFileSync(path.join(folder, name), "ok", { mode: 0o600 });
    utimesSync(path.join(folder, name), Date.now() / 1_000 - age, Date.now() / 1_000 - age);
  }
  expect(await memory(1).once("role", ask)).toBe("ok");
  expect(await memory().once("role", ask)).toBe("wrong password");
  expect(readdirSync(folder).filter((name) => name in files)).toEqual(["other"]);
});

test("asks again after an error", async () => {
  const answers = memory();
  await expect(answers.once("role", () => Promise.reject(new Error("refused")))).rejects.toThrow("refused");
  expect(await answers.once("role", ask)).toBe("ok");
});

test("keeps an answer that is no plain word for its own process only", async () => {
  const answers = memory();
  const secretly = (): Promise<string> => Promise.resolve("S3cret!");
  expect([await answers.once("a", secretly), await answers.once("a", secretly)]).toEqual([
    "S3cret!",
    "S3cret!",
  ]);
  expect(await memory().once("a", ask)).toBe("ok");
});

describe("what another user of the machine has prepared is neither read, nor written, nor removed", () => {
  const someoneElse = (process.getuid?.() ?? 0) + 1;
  let target: string;

  beforeEach(() => {
    target = path.join(scratch, "target");
    writeFileSync(target, "may not log in", { mode: 0o600 });
  });

  afterEach(() => {
    expect(readFileSync(target, "utf8")).toBe("may not log in");
  });

  test("a link in place of the file", async () => {
    const file = await left();
    rmSync(file);
    symlinkSync(target, file);
    expect(await memory().once("role", ask)).toBe("wrong password");
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
  });

  test("a second name of a file", async () => {
    const file = await left();
    rmSync(file);
    linkSync(target, file);
    expect(await memory().once("role", ask)).toBe("wrong password");
  });

  test("a link in place of the folder, or of one above it", async () => {
    const elsewhere = path.join(scratch, "elsewhere");
    mkdirSync(elsewhere, { mode: 0o700 });
    symlinkSync(elsewhere, folder);
    await memory().once("role", ask);
    expect(readdirSync(elsewhere)).toEqual([]);
    rmSync(folder);
    symlinkSync(scratch, path.join(scratch, "loop"));
    folder = path.join(scratch, "loop", "memory");
    await memory().once("role", ask);
    expect(await memory().once("role", ask)).toBe("may not log in");
  });

  test("a folder that others may write to or list, or that belongs to somebody else", async () => {
    const file = await left();
    for (const mode of [0o777, 0o770, 0o755]) {
      chmodSync(folder, mode);
      expect(new PrivateFolder(folder).take(path.basename(file))).toBeUndefined();
    }
    chmodSync(folder, 0o700);
    expect(new PrivateFolder(folder, someoneElse).take(path.basename(file))).toBeUndefined();
    expect(new PrivateFolder(folder).take(path.basename(file))).toBe("ok");
  });

  test("a folder in one that others may rename it in", async () => {
    const file = await left();
    chmodSync(scratch, 0o777);
    expect(new PrivateFolder(folder).take(path.basename(file))).toBeUndefined();
    chmodSync(scratch, 0o1777);
    expect(new PrivateFolder(folder).take(path.basename(file))).toBe("ok");
  });

  test("a file that is large, that others can write to, or that holds something else", async () => {
    const file = await left();
    for (const [content, mode] of [
      ["x".repeat(5_000), 0o600],
      ["ok", 0o666],
      ["\u001b[2J", 0o600],
    ] as const) {
      rmSync(file, { force: true });
      writeFileSync(file, content);
      chmodSync(file, mode);
      asked = 1;
      expect(await memory().once("role", ask)).toBe("wrong password");
    }
  });

  test("a folder in place of the file", async () => {
    const file = await left();
    renameSync(file, `${file}x`);
    mkdirSync(file);
    expect(await memory().once("role", ask)).toBe("wrong password");
  });
});

test.each([
  [{ XDG_RUNTIME_DIR: "/run/user/1", XDG_CACHE_HOME: "/c", HOME: "/h" }, "/run/user/1/x"],
  [{ XDG_RUNTIME_DIR: "relative", XDG_CACHE_HOME: "/c", HOME: "/h" }, "/c/x"],
])("prefers the user's runtime folder to the one for caches: %j", (environment, folder) => {
  expect(privatePath("x", environment)).toBe(folder);
});

test("works without any folder, as for a user without a home", async () => {
  folder = "/proc/nobody";
  expect(await memory().once("role", ask)).toBe("ok");
  expect(await memory().once("role", ask)).toBe("wrong password");
  expect(await new CommandMemory(process.pid).once("role", ask)).toBe("may not log in");
});
