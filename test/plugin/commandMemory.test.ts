import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { CommandMemory } from "../../provider/plugin/commandMemory";

let folder: string;
let asked: number;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "neon-bemi-command-"));
  asked = 0;
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const ask = (): Promise<string> => Promise.resolve(`answer ${++asked}`);
const running = String(process.pid);

test("gives the second process of a command the first one's answer, and leaves no file", async () => {
  expect(await new CommandMemory(running, folder).once("role", ask)).toBe("answer 1");
  expect(await new CommandMemory(running, folder).once("role", ask)).toBe("answer 1");
  expect(readdirSync(folder)).toEqual([]);
});

test("asks each question once within a process", async () => {
  const memory = new CommandMemory(undefined, folder);
  expect(await Promise.all([memory.once("a", ask), memory.once("a", ask), memory.once("b", ask)])).toEqual([
    "answer 1",
    "answer 1",
    "answer 2",
  ]);
});

test("asks again for another command, and removes the files of finished commands", async () => {
  writeFileSync(path.join(folder, "4194304999-abc"), "old");
  expect(await new CommandMemory("1", folder).once("role", ask)).toBe("answer 1");
  expect(await new CommandMemory(running, folder).once("role", ask)).toBe("answer 2");
  expect(readdirSync(folder).some((name) => name.startsWith("4194304999"))).toBe(false);
});

test("asks again after an error", async () => {
  const memory = new CommandMemory(running, folder);
  await expect(memory.once("role", () => Promise.reject(new Error("refused")))).rejects.toThrow("refused");
  expect(await memory.once("role", ask)).toBe("answer 1");
});
