import type { ApiRoleInputs, ApiRoleOutputs } from "../../contract/kinds/apiRole";
import { secret } from "../../contract/secrets";
import { recorded, type ResolvedTarget } from "../../contract/target";
import { directAddress } from "../target/connection";
import type { State } from "./change";
import type { Login } from "./doers";

/**
 * What the state has recorded of the database. Without its oid, nobody could tell a database that was dropped from one
 * that was renamed, and a destroy would refuse to go on.
 */
export function databaseOf({ databaseName, databaseOid, owner }: State): Partial<ApiRoleOutputs> {
  return {
    ...(databaseName === undefined ? {} : { databaseName }),
    ...(databaseOid === undefined ? {} : { databaseOid }),
    ...(owner === undefined ? {} : { owner }),
  };
}

/** What the state keeps of the role. */
export function outputsOf(
  { name }: ApiRoleInputs,
  target: ResolvedTarget,
  { password = "", created, createdAt }: Login,
): ApiRoleOutputs {
  return {
    ...recorded(target),
    ...directAddress(target.host),
    username: name,
    password: secret(password),
    created,
    ...(createdAt === undefined ? {} : { roleCreatedAt: createdAt }),
  };
}
