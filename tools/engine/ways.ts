import { UserError } from "../../provider/contract/errors";
import { type Engine, Unavailable } from "./engine";

/** One way to come by an engine. */
export interface Way {
  /** How the error names it, should no way be open. */
  readonly name: string;
  /** @throws Unavailable with the reason why there is none to be had this way. */
  find(): Promise<Engine>;
}

/** The engine of the first way that is open; later ways are not touched. */
export async function firstEngine(ways: readonly Way[]): Promise<Engine> {
  const reasons: string[] = [];
  for (const way of ways) {
    try {
      return await way.find();
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      reasons.push(`- ${way.name}: ${error.message}`);
    }
  }
  throw new UserError(
    `There is no Pulumi CLI to run this project with, and none could be had:\n${reasons.join("\n")}\n` +
      "Open one of these ways (installing the Pulumi CLI is the simplest), then repeat.",
  );
}
