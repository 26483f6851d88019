import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { HOST } from "../../tools/pulumiCli/onPath";
import { PROJECT } from "../../tools/pulumiCli/project";
import { main } from "../../tools/pulumi";
import { removeScratch, scratch, script } from "../support/scratch";

const originalPath = process.env["PATH"];

afterEach(() => {
  process.env["PATH"] = originalPath;
  removeScratch();
});

/** Puts a fake CLI first on PATH, which answers `pulumi version` and otherwise runs the body. Returns its working folder. */
function fakePulumi(body: string): string {
  const folder = scratch();
  const bin = path.join(folder, "bin");
  script(
    path.join(bin, "pulumi"),
    `if [ "$1" = version ]; then echo v3.250.0; exit; fi\ncd "${folder}"\n${body}`,
  );
  script(path.join(bin, HOST), "exit 0");
  process.env["PATH"] = `${bin}${path.delimiter}${originalPath ?? ""}`;
  return folder;
}

describe("npm run pulumi", () => {
  it("runs the CLI in the project's folder, with its arguments and exit code", async () => {
    const folder = fakePulumi('echo "$OLDPWD|$*|$PULUMI_SKIP_UPDATE_CHECK" > seen; exit 9');
    await expect(main(["up", "--yes", "-m", "two words"])).resolves.toBe(9);
    expect(readFileSync(path.join(folder, "seen"), "utf8")).toBe(`${PROJECT}|up --yes -m two words|true\n`);
  });

  it("returns the exit code of a shell if the CLI was killed", async () => {
    fakePulumi("kill -KILL $$");
    await expect(main(["up"])).resolves.toBe(137);
  });

  it("passes on SIGTERM and waits until the CLI has ended", async () => {
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
