import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { HOST, SHIM } from "../../tools/engine/onPath";
import { PROJECT } from "../../tools/engine/project";
import { main } from "../../tools/pulumi";
import { removeScratch, scratch, script } from "./scratch";

const originalPath = process.env["PATH"];

afterEach(() => {
  process.env["PATH"] = originalPath;
  removeScratch();
});

/** Puts a CLI first on PATH that runs the body for anything but `pulumi version`; returns a folder it may write to. */
function fakePulumi(body: string): string {
  const folder = scratch();
  const bin = path.join(folder, "bin");
  script(
    path.join(bin, "pulumi"),
    `if [ "$1" = version ]; then echo v3.250.0; exit; fi\ncd "${folder}"\n${body}`,
  );
  for (const name of [HOST, SHIM]) script(path.join(bin, name), "exit 0");
  process.env["PATH"] = `${bin}${path.delimiter}${originalPath ?? ""}`;
  return folder;
}

describe("npm run pulumi", () => {
  it("runs the CLI in the project's folder and passes on arguments and exit code", async () => {
    const folder = fakePulumi('echo "$OLDPWD|$*|$PULUMI_SKIP_UPDATE_CHECK" > seen; exit 9');
    await expect(main(["up", "--yes", "-m", "two words"])).resolves.toBe(9);
    expect(readFileSync(path.join(folder, "seen"), "utf8")).toBe(`${PROJECT}|up --yes -m two words|true\n`);
  });

  it("reports a CLI that was killed as a shell does", async () => {
    fakePulumi("kill -KILL $$");
    await expect(main(["up"])).resolves.toBe(137);
  });

  it("passes on SIGTERM and waits until the CLI has cleaned up", async () => {
    const folder = fakePulumi(
      "trap 'echo > cleaned; exit 5' TERM; echo > ready; while :; do sleep 0.05; done",
    );
    const ended = main(["up"]);
    while (!existsSync(path.join(folder, "ready"))) await new Promise((resolve) => setTimeout(resolve, 10));
    process.emit("SIGTERM");
    await expect(ended).resolves.toBe(5);
    expect(existsSync(path.join(folder, "cleaned"))).toBe(true);
  });
});
