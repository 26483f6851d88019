/** A Pulumi CLI that can run this project. It has a host for Node programs. */
export interface PulumiCli {
  /** Absolute path of the `pulumi` binary. */
  readonly command: string;
  /** The folder with `bin/pulumi`, as the Automation API's `PulumiCommand.get({ root })` expects it. */
  readonly root: string;
  /** Version of the CLI, without a leading `v`. */
  readonly version: string;
  /** `path`: found on PATH. `installed`: by Pulumi's installer, `built`: with Go; both in this run or an earlier one. */
  readonly origin: "path" | "installed" | "built";
  /** Variables to add to the caller's environment when the CLI is started. */
  readonly env: Readonly<Record<string, string>>;
}

/** Receives one line for the user when a phase begins, and every few seconds while it lasts. */
export type Progress = (line: string) => void;

/** The reason why one way to a CLI is not open. The next way is then tried. Any other error is a bug. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}

/** Whether an error of Node or of a library has this code. */
export function hasCode(error: unknown, code: string): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === code;
}
