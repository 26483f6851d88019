import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const EXECUTABLE = "pulumi-resource-neon-bemi";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "neon-bemi-launcher-"));
  copyFileSync(path.join(__dirname, "..", "..", EXECUTABLE), path.join(folder, EXECUTABLE));
  bundle("first");
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A bundle that prints a word with one of two functions, and has worked unless it prints "idle". */
function bundle(word: string): void {
  writeFileSync(
    path.join(folder, "main.js"),
    `const say = () => console.log("${word}");
     say();
     exports.hasWorked = () => ${word !== "idle"};`,
  );
}

function run(): string {
  return execFileSync(process.execPath, [path.join(folder, EXECUTABLE)], { encoding: "utf8" }).trim();
}

function kept(): string[] {
  return readdirSync(path.join(folder, "compiled"));
}

test("keeps what was compiled, and runs it in the next process", () => {
  expect(run()).toBe("first");
  const [cache = ""] = kept();
  expect(kept()).toEqual([expect.stringMatching(/\.bin$/)]);
  const written = readFileSync(path.join(folder, "compiled", cache));

  expect(run()).toBe("first");
  expect(readFileSync(path.join(folder, "compiled", cache))).toEqual(written);
});

test("never runs what was compiled of another bundle, even of the same length", () => {
  run();
  const before = kept();
  bundle("other");
  expect(run()).toBe("other");
  expect(kept()).toHaveLength(1);
  expect(kept()).not.toEqual(before);
});

test("compiles again what another version of V8 has compiled", () => {
  run();
  const cache = path.join(folder, "compiled", kept()[0] ?? "");
  writeFileSync(cache, "compiled by another version");
  expect(run()).toBe("first");
  expect(readFileSync(cache).length).toBeGreaterThan(100);
});

test("keeps nothing of a process that has worked on no resource", () => {
  bundle("idle");
  expect(run()).toBe("idle");
  expect(readdirSync(folder)).not.toContain("compiled");
});

test("runs where nothing can be kept", () => {
  // A file in its place stands for a folder that cannot be written: as root, every folder can be.
  writeFileSync(path.join(folder, "compiled"), "");
  expect(run()).toBe("first");
});

/** Says what becomes of a thread of the launcher, on a Node with this version of OpenSSL. */
function threads(openssl: string, env: Record<string, string> = {}): string[] {
  const preload = path.join(folder, "preload.js");
  writeFileSync(
    preload,
    `Object.defineProperty(process, "versions", { value: { ...process.versions, openssl: "${openssl}" } });
     const threads = require("node:worker_threads");
     threads.Worker = class extends threads.Worker {
       constructor(...given) {
         super(...given);
         this.once("exit", (code) => {
           console.log("thread ended with " + code);
           this.emit("error", new Error("as if it had failed"));
         });
       }
       // Otherwise the process would not wait for it.
       unref() {}
     };`,
  );
  return execFileSync(process.execPath, ["--require", preload, path.join(folder, EXECUTABLE)], {
    encoding: "utf8",
    env: { ...process.env, NODE_EXTRA_CA_CERTS: "", ...env },
  })
    .trim()
    .split("\n");
}

test("lets a thread read the certificate authorities where that takes long, and may fail", () => {
  expect(threads("3.0.19")).toEqual(["first", "thread ended with 0"]);
});

test("starts no thread where it would take longer, or they have been read", () => {
  expect(threads("3.5.4")).toEqual(["first"]);
  const authorities = path.join(folder, "authorities.pem");
  writeFileSync(authorities, "");
  expect(threads("3.0.19", { NODE_EXTRA_CA_CERTS: authorities })).toEqual(["first"]);
});
