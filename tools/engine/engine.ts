/** A Pulumi CLI that can run this project: it has a host for Node programs and the shim of the dynamic provider. */
export interface Engine {
  /** Absolute path of the `pulumi` binary. */
  readonly command: string;
  /** A folder with `bin/pulumi`, as the Automation API's `PulumiCommand.get({ root })` wants it. */
  readonly root: string;
  /** Version of the CLI, without a leading `v`. */
  readonly version: string;
  /** Found on PATH; or prepared by this project with Pulumi's installer, or with Go, now or by an earlier run. */
  readonly origin: "path" | "installed" | "built";
  /** What the CLI's environment must have besides the caller's own. */
  readonly env: Readonly<Record<string, string>>;
}

/** Told what is going on, in lines for a user; called when a phase begins and every few seconds while it lasts. */
export type Progress = (line: string) => void;

/** Why a way to get an engine is not open here; the next way is tried. Anything else that is thrown is a bug. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}

/** Whether an error of Node or a library has this code. */
export function hasCode(error: unknown, code: string): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === code;
}
