import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { runChild } from "../../tools/pulumiCli/child";
import { Unavailable } from "../../tools/pulumiCli/pulumiCli";
import { HOST } from "../../tools/pulumiCli/onPath";
import type { Preparation } from "../../tools/pulumiCli/go";
import { buildWithGo, install } from "../../tools/pulumiCli/prepare";
import { MODULES } from "../../tools/pulumiCli/project";
import { removeScratch, scratch, script } from "../support/scratch";

const originalPath = process.env["PATH"];

afterEach(() => {
  process.env["PATH"] = originalPath;
  jest.restoreAllMocks();
  removeScratch();
});

/** Puts a `go` first on PATH. It answers `go version`, and writes each other call to a file before it runs the body. */
function fakeGo(version: string, body: string): string {
  const folder = scratch();
  const calls = path.join(folder, "calls");
  script(
    path.join(folder, "go"),
    `if [ "$1" = version ]; then echo "go version ${version} linux/amd64"; exit; fi
echo "$(basename "$PWD") $GOWORK $GOTOOLCHAIN $CGO_ENABLED $*" >> "${calls}"
while [ "$1" != -o ]; do shift; done
${body}`,
  );
  process.env["PATH"] = `${folder}${path.delimiter}${originalPath ?? ""}`;
  return calls;
}

function preparation(interrupted: AbortSignal, lines: string[] = []): Preparation {
  return {
    pins: { cli: "3.246.0", nodejsHost: "3.60.0", yamlHost: "1.25.0", pythonHost: "3.60.0", go: "1.25.8" },
    modules: MODULES,
    progress: (line) => lines.push(line),
    interrupted,
  };
}

const never = new AbortController().signal;

describe("the build with Go", () => {
  it("builds both programs from their modules", async () => {
    const calls = fakeGo("go1.26.8", 'echo "some/package" >&2; echo built > "$2"; chmod 755 "$2"');
    const folder = scratch();
    const lines: string[] = [];
    await buildWithGo(folder, preparation(never, lines));
    expect(readdirSync(folder)).toEqual(["bin"]);
    expect(readdirSync(path.join(folder, "bin")).sort()).toEqual(["pulumi", HOST]);
    expect(readFileSync(calls, "utf8").split("\n")).toEqual([
      expect.stringMatching(/^cli off local 0 build .*-mod=readonly .*Version=v3\.246\.0 .*cmd\/pulumi$/),
      expect.stringMatching(/^nodejs-host off local 0 build .*-mod=readonly .*Version=v3\.60\.0 .*nodejs$/),
      "",
    ]);
    expect(lines[0]).toContain("Building the Pulumi CLI 3.246.0");
  });

  it("reports the reason of a failure", async () => {
    fakeGo("go1.26.8", "echo 'reading pkg/v3: 404 Not Found' >&2; exit 1");
    const failed = buildWithGo(scratch(), preparation(never));
    await expect(failed).rejects.toThrow(Unavailable);
    await expect(failed).rejects.toThrow("404 Not Found");
  });

  it("refuses a Go that is too old", async () => {
    const calls = fakeGo("go1.24.2", "exit 1");
    await expect(buildWithGo(scratch(), preparation(never))).rejects.toThrow("is older than 1.25.8");
    expect(existsSync(calls)).toBe(false);
  });

  it("says that Go is missing", async () => {
    process.env["PATH"] = scratch();
    await expect(buildWithGo(scratch(), preparation(never))).rejects.toThrow("no `go` on PATH");
  });

  it("ends every process that it started when it is interrupted", async () => {
    const pidFile = path.join(scratch(), "pid");
    fakeGo("go1.26.8", `sleep 300 & echo $! > "${pidFile}.new"; mv "${pidFile}.new" "${pidFile}"; wait`);
    const controller = new AbortController();
    const building = buildWithGo(scratch(), preparation(controller.signal));
    const outcome = expect(building).rejects.toThrow("stop");
    while (!existsSync(pidFile)) await new Promise((resolve) => setTimeout(resolve, 10));
    controller.abort(new Error("stop"));
    await outcome;
    const compiler = Number(readFileSync(pidFile, "utf8"));
    while (isAlive(compiler)) await new Promise((resolve) => setTimeout(resolve, 10));
  });
});

describe("Pulumi's installer", () => {
  it("does not run if get.pulumi.com cannot be reached", async () => {
    jest.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("fetch failed"));
    await expect(install(scratch(), preparation(never))).rejects.toThrow(Unavailable);
  });
});

describe("runChild", () => {
  it("returns exit code, output and last lines", async () => {
    const lines: string[] = [];
    const body = "for i in 1 2 3 4 5 6 7 8; do echo $i; done; exit 3";
    const result = await runChild("sh", ["-c", body], { onLine: (line) => lines.push(line) });
    expect(result.code).toBe(3);
    expect(lines).toHaveLength(8);
    expect(result.stdout).toBe("1\n2\n3\n4\n5\n6\n7\n8\n");
    expect(result.tail).toBe("3\n4\n5\n6\n7\n8");
  });
});

/** Whether a process runs. A zombie does not count. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const status = `/proc/${pid}/status`;
  return !existsSync(status) || !/^State:\s+Z/m.test(readFileSync(status, "utf8"));
}
