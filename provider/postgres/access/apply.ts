import type { Run } from "../../contract/kind";
import { execute } from "../../contract/plan";
import type { Session } from "../../contract/session";
import { quoteTableName } from "../catalog/tableNames";
import { runTogether } from "../sql/block";
import { quoteIdentifier } from "../sql/quote";
import type { AccessStep } from "./plan";
import type { DefaultPrivilege } from "./privileges";
import { readHeld } from "./query";
import { changeRecord } from "../record/change";
import { entryOf, withEntry, withoutEntry } from "./record";

/**
 * Does the steps of one plan. What the role held before is recorded first, and committed before the first grant. The
 * doers of grants and revokes only collect statements, which then run in one transaction. The entry of the record goes
 * last. So a run that is killed at any point leaves nothing granted that the record does not tell apart.
 */
export async function applySteps(
  session: Session,
  steps: readonly AccessStep[],
  run: Pick<Run, "checkpoint">,
): Promise<void> {
  if (steps.length === 0) return;
  const statements: string[] = [];
  const add = (...more: string[]): Promise<void> => {
    statements.push(...more);
    return Promise.resolve();
  };
  const together = async (): Promise<void> => {
    if (statements.length > 0) await runTogether(session, statements.splice(0));
  };
  await execute<AccessStep>(
    steps,
    {
      "record privileges": async ({ role }) => {
        const entry = entryOf(session, role, await readHeld(session, role));
        await changeRecord(session, (record) => withEntry(record, entry));
      },
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
      "drop record": async ({ role }) => {
        await together();
        await changeRecord(session, (record) => withoutEntry(record, role));
      },
    },
    run,
  );
  run.checkpoint();
  await together();
}

function alterDefaults({ owner, schema }: DefaultPrivilege): string {
  const where = schema === null ? "" : ` IN SCHEMA ${quoteIdentifier(schema)}`;
  return `ALTER DEFAULT PRIVILEGES FOR ROLE ${quoteIdentifier(owner)}${where}`;
}

function privilegeOn({ objects }: DefaultPrivilege): string {
  return objects === "TABLES" ? "SELECT ON TABLES" : "USAGE ON SCHEMAS";
}
