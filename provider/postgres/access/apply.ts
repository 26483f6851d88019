import type { Run } from "../../contract/kind";
import { execute } from "../../contract/plan";
import type { Session } from "../../contract/session";
import { quoteTableName, type TableName } from "../catalog/tableNames";
import { quoteIdentifier } from "../sql/quote";
import type { AccessStep } from "./plan";
import type { DefaultPrivilege } from "./privileges";
import { readHeld } from "./query";
import { changeRecord } from "../record/change";
import { entryOf, withEntry, withoutEntry } from "./record";
import { changePrivileges, type TablePrivileges } from "./statement";

/**
 * Does the steps of one plan, which concern one role. What the role held before is recorded first, and committed before
 * the first grant. The doers of grants and revokes only collect what is to be done, which then is one statement. The
 * entry of the record goes last. So a run that is killed at any point leaves nothing granted that the record does not
 * tell apart, and the next run does the rest.
 */
export async function applySteps(
  session: Session,
  steps: readonly AccessStep[],
  run: Pick<Run, "checkpoint">,
): Promise<void> {
  const [first] = steps;
  if (first === undefined) return;
  const statements: string[] = [];
  const tables: TablePrivileges[] = [];
  const add = (...more: string[]): Promise<void> => {
    statements.push(...more);
    return Promise.resolve();
  };
  const addTables = (action: TablePrivileges["action"], names: readonly TableName[]): Promise<void> => {
    tables.push({ action, tables: names.map(quoteTableName) });
    return Promise.resolve();
  };
  const together = async (): Promise<void> => {
    await changePrivileges(session, {
      role: first.role,
      statements: statements.splice(0),
      tables: tables.splice(0),
    });
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
      "grant select": (step) => addTables("GRANT", step.tables),
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
      "revoke select": (step) => addTables("REVOKE", step.tables),
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
