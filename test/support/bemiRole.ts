import type { RoleOutputs } from "../../provider/contract/fields/role";
import type { Kind } from "../../provider/contract/kind";
import type { ReplicationRoleInputs } from "../../provider/contract/kinds/replicationRole";
import { apiRole } from "../../provider/neon";
import { replicationRole } from "../../provider/postgres";
import { ROLE_MADE_BY } from "./postgres";

/** The kind that makes Bemi's role on the server that tests run on, for tests of what comes after the role. */
export const bemiRole: Kind<ReplicationRoleInputs, RoleOutputs> =
  ROLE_MADE_BY === "api" ? apiRole : replicationRole;
