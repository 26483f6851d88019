import { UserError } from "../../provider/contract/errors";
import { type PulumiCli, Unavailable } from "./pulumiCli";

/** One way to get a Pulumi CLI. */
export interface Way {
  /** The name of this way in the error that says that no way is open. */
  readonly name: string;
  /** @throws Unavailable with the reason why this way is not open */
  get(): Promise<PulumiCli>;
}

/**
 * The CLI of the first way that is open. Later ways are not tried.
 * @throws UserError with the reasons of all ways, if none is open
 */
export async function firstOpenWay(ways: readonly Way[]): Promise<PulumiCli> {
  const reasons: string[] = [];
  for (const way of ways) {
    try {
      return await way.get();
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      reasons.push(`- ${way.name}: ${error.message}`);
    }
  }
  throw new UserError(
    `There is no Pulumi CLI that can run this project, and none could be prepared:\n${reasons.join("\n")}\n` +
      "Make one of these ways possible (installing the Pulumi CLI is the simplest), then run the command again.",
  );
}
