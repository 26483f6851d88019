import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { cacheFolder } from "../../tools/pulumiCli/cache";

const VERSION = "1.7.7";

/**
 * Path of actionlint, which checks workflows of GitHub; or the reason why it cannot be had. The first call on a machine
 * builds it with Go, which takes about half a minute.
 */
export function actionlint(): { readonly program: string } | { readonly reason: string } {
  const cache = path.dirname(cacheFolder(process.env));
  const program = path.join(cache, `actionlint-${VERSION}`);
  if (existsSync(program)) return { program };
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(path.join(cache, "actionlint-"));
  try {
    execFileSync("go", ["install", `github.com/rhysd/actionlint/cmd/actionlint@v${VERSION}`], {
      env: { ...process.env, GOBIN: folder, CGO_ENABLED: "0", GOFLAGS: "-mod=mod" },
      stdio: "pipe",
    });
    renameSync(path.join(folder, "actionlint"), program);
    return { program };
  } catch (error) {
    return { reason: `actionlint was not built: ${error instanceof Error ? error.message : String(error)}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
