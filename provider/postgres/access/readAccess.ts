import { UserError } from "../../contract/errors";
import { readAccessInputs, type ReadAccessInputs } from "../../contract/inputs";
import type { Kind, Run } from "../../contract/kind";
import type { ReadAccessOutputs } from "../../contract/outputs";
import { recorded } from "../../contract/target";
import { runTogether } from "../sql/block";
import type { Catalog, TableFacts } from "../../contract/catalog";
import { preflight, selectionFindings } from "../selection/findings";
import { unlessGone } from "../session/gone";
import { quoteTableName } from "../catalog/tableNames";
import {
  readHeld,
  readMissing,
  scopeOf,
  within,
  without,
  type DefaultRight,
  type Held,
  type Missing,
  type Scope,
} from "./query";
import { forgetStatements, givenByUs, hasRecord, readBefore, recordStatements } from "./record";
import { select, type Wanted } from "../selection/selection";
import type { Session } from "../../contract/session";
import { hasCode } from "../sql/sqlError";
import { tablesByOid } from "../catalog/tableIndex";
import { firstFew } from "../../contract/wording";
import { quoteIdentifier } from "../sql/quote";

type State = ReadAccessInputs & Partial<ReadAccessOutputs>;

/**
 * What Bemi's role may read: USAGE on the schemas, SELECT on the selected tables, and by default privileges on what
 * the owners of tables there create later. Only what is missing is granted, and only what was granted here is revoked.
 * Streaming needs none of it; snapshots and data browsers do.
 */
export const readAccess: Kind<ReadAccessInputs, ReadAccessOutputs> = {
  name: "readAccess",
  inputs: readAccessInputs,
  replaceOn: ["projectId", "branch", "database", "role"],
  id: ({ database, role }) => `${database}/${role}/read-access`,

  create: (inputs, run) => run.sql(inputs, (session) => grant(session, inputs, run, false)),

  update: (state, inputs, run) =>
    run.sql(
      inputs,
      async (session) => {
        await again(() => withdraw(session, state, run, inputs));
        return grant(session, inputs, run, true);
      },
      state,
    ),

  read: (state, run) =>
    unlessGone(() =>
      run.sql(
        state,
        async (session) => {
          const catalog = await session.catalog();
          if (!hasRole(catalog, state.role)) return undefined;
          const scope = scopeIn(catalog, state);
          const missing = await readMissing(session, state.role, scope);
          const lacking = describe(grantable(missing, catalog), catalog);
          return {
            outputs: outputsOf(session, missing, scope),
            ...(lacking.length === 0 ? {} : { drift: { missing: lacking } }),
          };
        },
        state,
      ),
    ),

  delete: async (state, run) => {
    await unlessGone(() => run.sql(state, (session) => again(() => withdraw(session, state, run)), state));
  },
};

async function grant(
  session: Session,
  inputs: ReadAccessInputs,
  run: Run,
  created: boolean,
): Promise<ReadAccessOutputs> {
  preflight(selectionFindings(select(await session.catalog(), inputs)));
  await again(() => grantMissing(session, inputs, run, created));
  const catalog = await session.catalog();
  const scope = scopeIn(catalog, inputs);
  const missing = await readMissing(session, inputs.role, scope);
  for (const line of describe(missing, catalog))
    run.log(`Role ${inputs.role} does not get ${line}: ${catalog.server.currentRole} may not grant it.`);
  return outputsOf(session, missing, scope);
}

async function grantMissing(
  session: Session,
  inputs: ReadAccessInputs,
  run: Run,
  created: boolean,
): Promise<void> {
  const catalog = await session.catalog();
  const { role } = inputs;
  if (!hasRole(catalog, role))
    throw new UserError(`There is no role "${role}" that could be given access. Create it first.`);
  const missing = grantable(await readMissing(session, role, scopeIn(catalog, inputs)), catalog);
  const statements = grantStatements(missing, catalog, role);
  const firstTouch = readBefore(session, catalog, role, created) === "everything";
  // The record of a copied branch's origin is replaced in any case: from now on it would be taken for ours.
  if (statements.length === 0 && !(firstTouch && hasRecord(catalog, role))) return;
  const record = firstTouch ? recordStatements(session, catalog, role, await readHeld(session, role)) : [];
  run.checkpoint();
  await runTogether(session, [...record, ...statements]);
}

/** Takes back what was granted for the state's selection, except for what other inputs still want. */
async function withdraw(session: Session, state: State, run: Run, still?: ReadAccessInputs): Promise<void> {
  const catalog = await session.catalog();
  const { role } = state;
  const statements: string[] = [];
  if (hasRole(catalog, role)) {
    const held = await readHeld(session, role);
    const ours = within(
      givenByUs(held, readBefore(session, catalog, role, true)),
      scopeIn(catalog, state),
      catalog,
    );
    const unwanted =
      still === undefined ? ours : without(ours, within(ours, scopeIn(catalog, still), catalog));
    statements.push(...revokeStatements(unwanted, catalog, role));
  }
  if (still === undefined) statements.push(...forgetStatements(catalog, role));
  if (statements.length === 0) return;
  run.checkpoint();
  await runTogether(session, statements);
}

function grantStatements(missing: Missing, catalog: Catalog, role: string): string[] {
  const to = `TO ${quoteIdentifier(role)}`;
  const tables = named(missing.tables, catalog);
  return [
    ...missing.schemas.map(({ schema }) => `GRANT USAGE ON SCHEMA ${quoteIdentifier(schema)} ${to}`),
    ...(tables.length === 0 ? [] : [`GRANT SELECT ON ${tables.join(", ")} ${to}`]),
    ...missing.defaults.map((right) => `${alterDefaults(right)} GRANT ${privilegesOn(right)} ${to}`),
  ];
}

function revokeStatements(given: Held, catalog: Catalog, role: string): string[] {
  const from = `FROM ${quoteIdentifier(role)}`;
  const may = <Right extends { readonly mayAct: boolean }>(rights: readonly Right[]): Right[] =>
    rights.filter(({ mayAct }) => mayAct);
  const tables = named(
    may(given.tables).map(({ oid }) => oid),
    catalog,
  );
  return [
    ...may(given.defaults).map((right) => `${alterDefaults(right)} REVOKE ${privilegesOn(right)} ${from}`),
    ...(tables.length === 0 ? [] : [`REVOKE SELECT ON ${tables.join(", ")} ${from}`]),
    ...may(given.schemas).map(({ schema }) => `REVOKE USAGE ON SCHEMA ${quoteIdentifier(schema)} ${from}`),
  ];
}

function alterDefaults({ owner, schema }: DefaultRight): string {
  const where = schema === null ? "" : ` IN SCHEMA ${quoteIdentifier(schema)}`;
  return `ALTER DEFAULT PRIVILEGES FOR ROLE ${quoteIdentifier(owner)}${where}`;
}

function privilegesOn({ objects }: DefaultRight): string {
  return objects === "TABLES" ? "SELECT ON TABLES" : "USAGE ON SCHEMAS";
}

/** What we may grant of what is missing. The rest is not drift: the next up could not do anything about it either. */
function grantable(missing: Missing, catalog: Catalog): Missing {
  const byOid = tablesByOid(catalog);
  return {
    readable: missing.readable,
    tables: missing.tables.filter((oid) => byOid.get(oid)?.mayAlter === true),
    schemas: missing.schemas.filter(({ mayAct }) => mayAct),
    defaults: missing.defaults.filter(({ mayAct }) => mayAct),
  };
}

function describe(missing: Missing, catalog: Catalog): string[] {
  const lines: string[] = [];
  const tables = named(missing.tables, catalog);
  if (missing.schemas.length > 0)
    lines.push(`USAGE on schema ${firstFew(missing.schemas.map(({ schema }) => schema))}`);
  if (tables.length > 0) lines.push(`SELECT on ${firstFew(tables)}`);
  if (missing.defaults.length > 0) {
    const owners = [...new Set(missing.defaults.map(({ owner }) => owner))];
    lines.push(`access to what ${firstFew(owners)} will create`);
  }
  return lines;
}

/** A table that is dropped or changed meanwhile fails the one statement that names them all. */
async function again(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await work();
      return;
    } catch (error) {
      // Undefined table, undefined schema, "tuple concurrently updated".
      if (attempt === 5 || !hasCode(error, "42P01", "3F000", "XX000")) throw error;
    }
  }
}

function outputsOf(session: Session, missing: Missing, scope: Scope): ReadAccessOutputs {
  return { ...recorded(session.target), readable: missing.readable, wanted: scope.tables.length };
}

function scopeIn(catalog: Catalog, wanted: Wanted): Scope {
  return scopeOf(wanted, select(catalog, wanted));
}

function named(oids: readonly number[], catalog: Catalog): string[] {
  const byOid = tablesByOid(catalog);
  return oids.flatMap((oid) => {
    const table: TableFacts | undefined = byOid.get(oid);
    return table === undefined ? [] : [quoteTableName(table)];
  });
}

function hasRole(catalog: Catalog, role: string): boolean {
  return catalog.roles.some(({ name }) => name === role);
}
