import { spawnSync } from "node:child_process";
import { playground } from "../../tools/start/instructions";

it("prints commands from which a shell reads the exact values", () => {
  const text = playground({
    sandbox: {
      apiUrl: "",
      apiKey: "",
      projectId: "",
      branchId: "",
      branchName: "",
      endpointId: "",
      database: "",
      ownerUri: "postgresql://owner:a'b$c@localhost:5/neondb?sslmode=verify-full&x=1",
      superuserUri: "",
      sslRootCert: "",
      requestLog: "",
    },
    stack: { configFile: "/tmp/with space/Pulumi.sandbox.yaml", environment: { NEON_API_KEY: "it's $HOME" } },
  });
  const lines = text.split("\n");
  const shell = [
    "npm() { printf '%s\\n' \"$@\"; }; psql() { printf '%s\\n' \"$@\"; }",
    ...lines.filter((line) => /^(export|npm|psql) /.test(line)),
    'printf "%s\\n" "$NEON_API_KEY"',
  ].join("\n");
  const { stdout } = spawnSync("sh", ["-c", shell], { encoding: "utf8" });
  expect(stdout).toContain("/tmp/with space/Pulumi.sandbox.yaml\n");
  expect(stdout).toContain("\npostgresql://owner:a'b$c@localhost:5/neondb?sslmode=verify-full&x=1\n");
  expect(stdout.endsWith("it's $HOME\n")).toBe(true);
});
