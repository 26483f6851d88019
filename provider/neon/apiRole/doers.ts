import type { Run } from "../../contract/kind";
import { execute, type Doers } from "../../contract/plan";
import type { ResolvedTarget } from "../../contract/target";
import type { ApiRoleStep } from "./plan";

/** What the steps find out and change. */
export interface Login {
  /** Secret. `undefined` while it is not known. */
  password?: string;
  /** Whether this resource creates, or created, the role. */
  created: boolean;
  /** When Neon made the role; `undefined` while it is not known. */
  createdAt?: string | undefined;
}

/** Executes the steps, and keeps the password they lead to in `login`. */
export async function perform(
  steps: readonly ApiRoleStep[],
  target: ResolvedTarget,
  login: Login,
  run: Run,
): Promise<void> {
  const { projectId, branchId, branchName } = target;
  const reveal = async (role: string): Promise<void> => {
    login.password = await run.neon.revealPassword(projectId, branchId, role);
  };
  const doers: Doers<ApiRoleStep> = {
    "create role": async ({ role }) => {
      await run.closeSql({ projectId }, async () => {
        const made = await run.neon.createRole(projectId, branchId, role);
        ({ password: login.password, createdAt: login.createdAt } = made);
      });
    },
    "reveal password": ({ role }) => reveal(role),
    "take over password": ({ role }) => reveal(role),
    "reset password": async ({ role }) => {
      run.log(
        `Setting a new password of role ${role}; this drops the connections of branch ${branchName} once`,
      );
      await run.closeSql({ projectId }, async () => {
        login.password = await run.neon.resetPassword(projectId, branchId, role, login.password ?? "");
      });
    },
    "delete role": async ({ role }) => {
      await run.closeSql({ projectId }, () => run.neon.deleteRole(projectId, branchId, role));
    },
  };
  await execute(steps, doers, run);
}
