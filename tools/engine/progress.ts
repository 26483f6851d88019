import type { Ora } from "ora";
import type { Progress } from "./engine";

/** Runs `work` and shows its progress on stderr: a spinner on a terminal, plain lines elsewhere. */
export async function withProgress<Result>(work: (progress: Progress) => Promise<Result>): Promise<Result> {
  // A terminal that does not know its width (0 columns, as under `script` or `docker run -t`) makes ora loop forever.
  if (!process.stderr.isTTY || !(process.stderr.columns > 0)) {
    return await work((line) => {
      process.stderr.write(`${line}\n`);
    });
  }
  let text = "";
  // Loaded with the first line, since most of the time there is none. It leaves stdin alone, which is the CLI's.
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
