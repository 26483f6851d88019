import type { Catalog } from "../../contract/catalog";
import type { Run } from "../../contract/kind";
import { execute } from "../../contract/plan";
import type { Session } from "../../contract/session";
import { quoteTableName } from "../catalog/tableNames";
import { runTogether } from "../sql/block";
import { quoteIdentifier } from "../sql/quote";
import type { AccessStep } from "./plan";
import type { DefaultPrivilege } from "./privileges";
import { readHeld } from "./query";
import { dropRecordStatement, recordStatements } from "./record";

/**
 * Does the steps of one plan. The doers only collect statements, which then run in one transaction: otherwise a killed
 * run could leave grants without the record of what the role held before, or a record that is out of date.
 */
export async function applySteps(
  session: Session,
  catalog: Catalog,
  steps: readonly AccessStep[],
  run: Pick<Run, "checkpoint">,
): Promise<void> {
  if (steps.length === 0) return;
  const statements: string[] = [];
  const add = (...more: string[]): Promise<void> => {
    statements.push(...more);
    return Promise.resolve();
  };
  await execute<AccessStep>(
    steps,
    {
      "record privileges": async ({ role }) =>
        add(...recordStatements(session, catalog, role, await readHeld(session, role))),
      "grant usage": ({ role, schemas }) =>
        add(
          ...schemas.map(
            (schema) => `GRANT USAGE ON SCHEMA ${quoteIdentifier(schema)} TO ${quoteIdentifier(role)}`,
          ),
        ),
      "grant select": ({ role, tables }) =>
        add(`GRANT SELECT ON ${tables.map(quoteTableName).join(", ")} TO ${quoteIdentifier(role)}`),
      "grant default privileges": ({ role, privileges }) =>
        add(
          ...privileges.map(
            (each) => `${alterDefaults(each)} GRANT ${privilegeOn(each)} TO ${quoteIdentifier(role)}`,
          ),
        ),
      "revoke default privileges": ({ role, privileges }) =>
        add(
          ...privileges.map(
            (each) => `${alterDefaults(each)} REVOKE ${privilegeOn(each)} FROM ${quoteIdentifier(role)}`,
          ),
        ),
      "revoke select": ({ role, tables }) =>
        add(`REVOKE SELECT ON ${tables.map(quoteTableName).join(", ")} FROM ${quoteIdentifier(role)}`),
      "revoke usage": ({ role, schemas }) =>
        add(
          ...schemas.map(
            (schema) => `REVOKE USAGE ON SCHEMA ${quoteIdentifier(schema)} FROM ${quoteIdentifier(role)}`,
          ),
        ),
      "drop record": ({ role }) => add(dropRecordStatement(role)),
    },
    run,
  );
  run.checkpoint();
  await runTogether(session, statements);
}

function alterDefaults({ owner, schema }: DefaultPrivilege): string {
  const where = schema === null ? "" : ` IN SCHEMA ${quoteIdentifier(schema)}`;
  return `ALTER DEFAULT PRIVILEGES FOR ROLE ${quoteIdentifier(owner)}${where}`;
}

function privilegeOn({ objects }: DefaultPrivilege): string {
  return objects === "TABLES" ? "SELECT ON TABLES" : "USAGE ON SCHEMAS";
}
