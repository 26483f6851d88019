import { version as sdkVersion } from "@pulumi/pulumi/package.json";
import { Unavailable } from "../../tools/pulumiCli/pulumiCli";
import { MODULES } from "../../tools/pulumiCli/project";
import { isGoUsable, readPins, usableVersion } from "../../tools/pulumiCli/versions";

describe("the version of a CLI", () => {
  it.each([
    ["v3.216.0\n", "3.216.0"],
    ["v3.246.0", "3.246.0"],
    ["3.300.1-alpha.x123\n", "3.300.1-alpha.x123"],
  ])("accepts %j", (output, version) => {
    expect(usableVersion(output)).toBe(version);
  });

  it.each(["v3.215.9", "v3.216.0-alpha.1", "v4.0.0", "v2.25.2", "", "bash: pulumi: not found"])(
    "refuses %j",
    (output) => {
      expect(() => usableVersion(output)).toThrow(Unavailable);
    },
  );
});

describe("the version of Go", () => {
  it.each([
    "go version go1.25.8 linux/amd64",
    "go version go1.26 darwin/arm64",
    "go version go1.27rc1 linux/amd64",
  ])("accepts %j", (output) => {
    expect(isGoUsable(output, "1.25.8")).toBe(true);
  });

  it.each(["go version go1.25.7 linux/amd64", "go version go1.9 linux/amd64", "gccgo", ""])(
    "refuses %j",
    (output) => {
      expect(isGoUsable(output, "1.25.8")).toBe(false);
    },
  );
});

describe("the pinned versions", () => {
  it("come from the go.mod files, and the CLI has the version of the SDK", () => {
    const pins = readPins(MODULES);
    expect(pins.cli).toBe(sdkVersion);
    expect(pins.nodejsHost).toMatch(/^3\.\d+\.\d+$/);
    expect(pins.go).toMatch(/^1\.\d+/);
  });
});
