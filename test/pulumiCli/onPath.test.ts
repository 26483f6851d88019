import { mkdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import { Unavailable } from "../../tools/pulumiCli/pulumiCli";
import { pulumiCliOnPath, HOST, type PathProbe } from "../../tools/pulumiCli/onPath";
import { removeScratch, scratch, script, write } from "../support/scratch";

afterEach(removeScratch);

function probe(folders: readonly string[], version = "v3.246.0"): PathProbe {
  return {
    path: folders.join(path.delimiter),
    pulumiVersion: () => Promise.resolve(version),
    rootFor: (bin) => Promise.resolve(`link to ${bin}`),
  };
}

function folderWith(bin: string, ...names: readonly string[]): string {
  for (const name of names) script(path.join(bin, name), "exit 0");
  return bin;
}

describe("the Pulumi CLI on PATH", () => {
  it("is the first `pulumi`", async () => {
    const root = scratch();
    const bin = folderWith(path.join(root, "bin"), "pulumi", HOST);
    const later = folderWith(path.join(scratch(), "bin"), "pulumi", HOST);
    await expect(pulumiCliOnPath(probe([scratch(), bin, later]))).resolves.toEqual({
      command: path.join(bin, "pulumi"),
      root,
      version: "3.246.0",
      origin: "path",
      env: {
        PATH: expect.stringMatching(new RegExp(`${later}$`)) as string,
        PULUMI_SKIP_UPDATE_CHECK: "true",
      },
    });
  });

  it("may be a link into a folder that has the host", async () => {
    const real = folderWith(path.join(scratch(), "bin"), "pulumi", HOST);
    const links = path.join(scratch(), "bin");
    mkdirSync(links);
    symlinkSync(path.join(real, "pulumi"), path.join(links, "pulumi"));
    await expect(pulumiCliOnPath(probe([links]))).resolves.toMatchObject({
      command: path.join(links, "pulumi"),
    });
  });

  it("gets a root with a `bin` if its folder has another name", async () => {
    const bin = folderWith(path.join(scratch(), "tools"), "pulumi", HOST);
    await expect(pulumiCliOnPath(probe([bin]))).resolves.toMatchObject({ root: `link to ${bin}` });
  });

  it("is not a file that cannot be executed", async () => {
    const bin = path.join(scratch(), "bin");
    write(path.join(bin, "pulumi"), "text");
    await expect(pulumiCliOnPath(probe([bin]))).rejects.toThrow(Unavailable);
  });

  it("is refused without a host for Node programs", async () => {
    const bin = folderWith(path.join(scratch(), "bin"), "pulumi");
    await expect(pulumiCliOnPath(probe([bin]))).rejects.toThrow(`has no ${HOST}`);
  });

  it("is refused if it is too old", async () => {
    const bin = folderWith(path.join(scratch(), "bin"), "pulumi", HOST);
    await expect(pulumiCliOnPath(probe([bin], "v3.100.0"))).rejects.toThrow("3.100.0 is not in the range");
  });
});
