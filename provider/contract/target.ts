import type * as z from "zod";
import type { recordedTarget } from "./fields/target";

/** A Neon database in the words its user knows. */
export interface Target {
  readonly projectId: string;
  /** Name or `br-` id; left out: the project's default branch. */
  readonly branch?: string;
  /** Left out by kinds that have nothing to do in SQL. */
  readonly database?: string;
}

/** A database as it is called now. */
export interface ResolvedDatabase {
  readonly name: string;
  /** Name of the owner role, which a session to the database acts as. */
  readonly owner: string;
  /** `pg_database.oid`; known once a session to the database is open. */
  readonly oid?: number;
}

/** What a {@link Target} meant when it was looked up. */
export interface ResolvedTarget {
  readonly projectId: string;
  readonly branchId: string;
  readonly branchName: string;
  readonly branchIsDefault: boolean;
  /** The branch's read-write endpoint. */
  readonly endpointId: string;
  /** Direct (never `-pooler`) host of that endpoint, as Neon reports it. */
  readonly host: string;
  /** Only where the target names a database. */
  readonly database?: ResolvedDatabase;
}

/** The ids a resource records, so that a name which comes to mean another branch is noticed. */
export type RecordedTarget = z.output<z.ZodObject<typeof recordedTarget>>;

/** What a resource records of the target it works on. */
export function recorded(target: ResolvedTarget): RecordedTarget {
  const { branchId, branchName, branchIsDefault, endpointId, database } = target;
  const place = { branchId, branchName, branchIsDefault, endpointId };
  if (database === undefined) return place;
  const { name: databaseName, oid, owner } = database;
  return { ...place, databaseName, ...(oid === undefined ? {} : { databaseOid: oid }), owner };
}

/** The state without the ids of a branch or a database that the new inputs do not name any more. */
export function withRecordedOf<State extends Target & Partial<RecordedTarget>>(
  state: State,
  inputs: Target,
): State {
  if (sameBranch(state, inputs) && sameDatabase(state, inputs)) return state;
  const database = { databaseName: undefined, databaseOid: undefined, owner: undefined };
  if (sameBranch(state, inputs)) return { ...state, ...database };
  const branch = { branchId: undefined, branchName: undefined, branchIsDefault: undefined };
  return { ...state, ...database, ...branch, endpointId: undefined };
}

/**
 * Whether new inputs name the branch that the state was made on, by what the state recorded: `undefined`, the branch's
 * name and its id can all mean the same branch, and a change between them must not replace anything.
 */
export function sameBranch(state: Target & Partial<RecordedTarget>, inputs: Target): boolean {
  if (state.projectId !== inputs.projectId) return false;
  if (state.branch === inputs.branch) return true;
  // Without the branch's id, nothing holds the name together with the branch that it meant.
  if (state.branchId === undefined) return false;
  if (inputs.branch === undefined) return state.branchIsDefault === true;
  return inputs.branch === state.branchName || inputs.branch === state.branchId;
}

/** Whether new inputs name the database that the state was made on, also under the name that somebody gave it since. */
export function sameDatabase(state: Target & Partial<RecordedTarget>, inputs: Target): boolean {
  if (state.database === inputs.database) return true;
  return state.databaseOid !== undefined && inputs.database === state.databaseName;
}
