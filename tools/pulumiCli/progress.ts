import type { Ora } from "ora";
import type { Progress } from "./pulumiCli";

/** Runs `work` and shows its progress on stderr: a spinner on a terminal, otherwise plain lines. */
export async function withProgress<Result>(work: (progress: Progress) => Promise<Result>): Promise<Result> {
  // On a terminal of unknown width (0 columns, as under `script` or `docker run -t`) ora would loop forever.
  if (!process.stderr.isTTY || !(process.stderr.columns > 0)) {
    return await work((line) => {
      process.stderr.write(`${line}\n`);
    });
  }
  let text = "";
  // Loaded with the first line, because most runs print none. The spinner must not read stdin, which the CLI needs.
  let spinner: Promise<Ora> | undefined;
  const load = async (): Promise<Ora> => {
    const { default: ora } = await import("ora");
    return ora({ stream: process.stderr, discardStdin: false }).start();
  };
  try {
    return await work((line) => {
      text = line;
      spinner ??= load();
      void spinner.then((shown) => (shown.text = text));
    });
  } finally {
    (await spinner)?.stop();
  }
}
