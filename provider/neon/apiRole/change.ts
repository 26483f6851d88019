import type { ApiRoleInputs, ApiRoleOutputs } from "../../contract/kinds/apiRole";
import type { Drift, Run } from "../../contract/kind";
import type { NeonRole } from "../../contract/neonApi";
import type { ResolvedTarget } from "../../contract/target";
import { NeonError } from "../api/errors";
import { planCreate, planUpdate, type ApiRoleStep } from "./plan";

/** An API role in the state. */
export type State = ApiRoleInputs & Partial<ApiRoleOutputs>;

/** What somebody has done since the last run: nothing; set another password; or made another role of the name. */
export type Change = "none" | "password" | "role";

/** What a preview shows of each change. */
export const DRIFT_OF: Readonly<Record<Change, Drift>> = {
  none: {},
  password: { passwordChanged: "Neon has another password for the role than the stack's state" },
  role: { passwordChanged: "somebody has made the role again, with another password" },
};

/**
 * @param stored the password that Neon has for the role; `undefined` where Neon does not tell it
 */
export function changeOf(
  role: NeonRole | undefined,
  { password, roleCreatedAt }: State,
  stored: string | undefined,
): Change {
  if (role === undefined || password === undefined || stored === undefined || stored === password)
    return "none";
  const isAnother =
    role.createdAt !== undefined && roleCreatedAt !== undefined && role.createdAt !== roleCreatedAt;
  return isAnother ? "role" : "password";
}

/** Another role of the name is one that exists already, and needs `adopt`. */
export function planChange(
  state: State,
  inputs: ApiRoleInputs,
  change: Change,
  role: NeonRole | undefined,
  branchName: string,
): ApiRoleStep[] {
  return change === "role"
    ? planCreate(inputs, role, branchName)
    : planUpdate(state, inputs, change === "password");
}

/**
 * The password that Neon has for the role in the state; `undefined` where Neon does not tell it: the state has none to
 * compare with, the project does not store passwords, or the API key may not read them.
 */
export async function storedPassword(
  { projectId, name, password }: State,
  { branchId }: ResolvedTarget,
  run: Run,
): Promise<string | undefined> {
  if (password === undefined) return undefined;
  try {
    return await run.neon.revealPassword(projectId, branchId, name);
  } catch (error) {
    if (error instanceof NeonError && (error.status ?? 500) < 500) return undefined;
    throw error;
  }
}
