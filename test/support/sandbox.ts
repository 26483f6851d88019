import { startSandbox, type Sandbox, type SandboxOptions } from "../../sandbox";
import { DEFAULT_VERSION } from "./postgres";

/** Starts a sandbox with the version of PostgreSQL that tests run on unless they name another: see `TEST_POSTGRES`. */
export function testSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  return startSandbox({ postgres: DEFAULT_VERSION, ...options });
}
