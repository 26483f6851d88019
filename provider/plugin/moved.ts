import type { Drift } from "../contract/kind";
import type { Values } from "./values";

/**
 * What the names in the program, and the compute in the state, have come to mean: the branch or the database was
 * renamed, or the branch got another compute. The resource follows by the recorded ids.
 *
 * @param state inputs and outputs of the last run
 * @param outputs as they are now
 */
export function moved(state: Values, inputs: Values, outputs: Values): Drift {
  const [branch, branchId, branchNow] = [inputs["branch"], outputs["branchId"], outputs["branchName"]];
  const [database, databaseNow] = [inputs["database"], outputs["databaseName"]];
  const [compute, computeNow] = [state["endpointId"], outputs["endpointId"]];
  const differs = (before: unknown, now: unknown): now is string =>
    typeof before === "string" && typeof now === "string" && before !== now;
  return {
    ...(differs(branch, branchNow) && branch !== branchId
      ? { branchRenamed: renamed(branch, branchNow) }
      : {}),
    ...(differs(database, databaseNow) ? { databaseRenamed: renamed(database, databaseNow) } : {}),
    ...(differs(compute, computeNow) && state["branchId"] === branchId
      ? { computeReplaced: renamed(compute, computeNow) }
      : {}),
  };
}

function renamed(before: unknown, now: string): string {
  return `${JSON.stringify(before)} is ${JSON.stringify(now)} now`;
}
