import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import path from "node:path";
import { cacheFolder, CliCache } from "../../tools/pulumiCli/cache";
import { HOST } from "../../tools/pulumiCli/onPath";
import { removeScratch, scratch, script, write } from "../support/scratch";

afterEach(removeScratch);

const quiet = () => undefined;

function fill(folder: string, mark = ""): Promise<void> {
  for (const name of ["pulumi", HOST]) script(path.join(folder, "bin", name), mark);
  return Promise.resolve();
}

describe("the cache folder", () => {
  it("is the one that the environment names, otherwise the user's", () => {
    expect(cacheFolder({ PULUMI_NEON_BEMI_CACHE: "/elsewhere" })).toBe("/elsewhere/engine");
    expect(cacheFolder({ PULUMI_NEON_BEMI_CACHE: "" })).toMatch(/pulumi-neon-bemi\/engine$/);
  });
});

describe("a prepared CLI", () => {
  it("is found by its name when it is complete", async () => {
    const cache = new CliCache(scratch());
    expect(cache.find("x")).toBeUndefined();
    const root = await cache.exclusively(quiet, () => cache.prepare("x", fill));
    expect(cache.find("x")).toBe(root);
    expect(cache.find("y")).toBeUndefined();
  });

  it("is not taken from a folder that every user may write to, or that is a link", async () => {
    const folder = scratch();
    await new CliCache(folder).exclusively(quiet, () => new CliCache(folder).prepare("x", fill));
    const link = path.join(scratch(), "link");
    symlinkSync(folder, link);
    expect(() => new CliCache(link).find("x")).toThrow(/is not used, .* Set PULUMI_NEON_BEMI_CACHE/);
    chmodSync(folder, 0o777);
    expect(() => new CliCache(folder).find("x")).toThrow(/is not used, .* Set PULUMI_NEON_BEMI_CACHE/);
    await expect(new CliCache(folder).exclusively(quiet, () => Promise.resolve())).rejects.toThrow(
      /is not used/,
    );
  });

  it("leaves nothing behind when its preparation fails", async () => {
    const folder = scratch();
    const cache = new CliCache(folder);
    const failing = async (temporary: string) => {
      await fill(temporary);
      throw new Error("the build failed");
    };
    await expect(cache.exclusively(quiet, () => cache.prepare("x", failing))).rejects.toThrow(
      "the build failed",
    );
    expect(cache.find("x")).toBeUndefined();
    expect(readdirSync(folder)).toEqual([]);
  });

  it("does not count when a program is missing", async () => {
    const cache = new CliCache(scratch());
    const partial = (folder: string) => {
      script(path.join(folder, "bin", "pulumi"), "");
      return Promise.resolve();
    };
    await expect(cache.exclusively(quiet, () => cache.prepare("x", partial))).rejects.toThrow(HOST);
    expect(cache.find("x")).toBeUndefined();
  });

  it("replaces an incomplete one, and removes the leftovers of a killed process", async () => {
    const folder = scratch();
    const cache = new CliCache(folder);
    script(path.join(folder, "x", "bin", "pulumi"), "old");
    write(path.join(folder, "unfinished-abc", "bin", "pulumi"), "half");
    await cache.exclusively(quiet, () => cache.prepare("x", fill));
    expect(readdirSync(folder)).toEqual(["x"]);
    expect(readFileSync(path.join(folder, "x", "bin", "pulumi"), "utf8")).not.toContain("old");
  });
});

describe("two processes at once", () => {
  it("prepare a CLI one after the other, and the second says that it waits", async () => {
    const folder = scratch();
    const first = new CliCache(folder);
    const second = new CliCache(folder, { pollMs: 10 });
    const order: string[] = [];
    let finish: () => void = quiet;
    let said: () => void = quiet;
    const waiting = new Promise<void>((resolve) => (said = resolve));
    const slow = first.exclusively(quiet, async () => {
      order.push("first begins");
      await new Promise<void>((resolve) => (finish = resolve));
      order.push("first ends");
    });
    while (order.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const lines: string[] = [];
    const progress = (line: string) => {
      lines.push(line);
      said();
    };
    const next = second.exclusively(progress, () => Promise.resolve(order.push("second")));
    await waiting;
    finish();
    await Promise.all([slow, next]);
    expect(order).toEqual(["first begins", "first ends", "second"]);
    expect(lines[0]).toMatch(/^Waiting for another process/);
  });

  it("do not wait for a process that was killed", async () => {
    const folder = scratch();
    const lock = path.join(folder, "lock");
    mkdirSync(lock);
    utimesSync(lock, 1, 1);
    await expect(
      new CliCache(folder, { pollMs: 10 }).exclusively(quiet, () => Promise.resolve("done")),
    ).resolves.toBe("done");
  });
});

describe("an interruption", () => {
  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "by %s ends the work and releases the lock",
    async (signal) => {
      const folder = scratch();
      const cache = new CliCache(folder, { pollMs: 10 });
      await cache.exclusively(quiet, () => Promise.resolve());
      // The library of the lock adds its own listener with the first lock.
      const before = process.listenerCount(signal);
      const interrupted = cache.exclusively(quiet, (aborted) =>
        cache.prepare("x", async (temporary) => {
          await fill(temporary);
          process.emit(signal);
          aborted.throwIfAborted();
        }),
      );
      await expect(interrupted).rejects.toThrow("Interrupted");
      expect(existsSync(path.join(folder, "x"))).toBe(false);
      expect(readdirSync(folder)).toEqual([]);
      expect(process.listenerCount(signal)).toBe(before);
    },
  );
});

describe("linkTo", () => {
  it("makes a folder whose bin is the given folder, the same one each time", async () => {
    const elsewhere = scratch();
    const cache = new CliCache(path.join(scratch(), "engine"));
    script(path.join(elsewhere, "pulumi"), "");
    const root = await cache.linkTo(elsewhere);
    expect(existsSync(path.join(root, "bin", "pulumi"))).toBe(true);
    await expect(cache.linkTo(elsewhere)).resolves.toBe(root);
  });
});
