import type { z } from "zod";
import type { recordedTarget } from "./fields/target";

/** A Neon database in the words its user knows. */
export interface Target {
  readonly projectId: string;
  /** Name or `br-` id; left out: the project's default branch. */
  readonly branch?: string;
  /** Left out by kinds that have nothing to do in SQL. */
  readonly database?: string;
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
  readonly database?: { readonly name: string; readonly owner: string };
}

/** The ids a resource records, so that a name which comes to mean another branch is noticed. */
export type RecordedTarget = z.output<z.ZodObject<typeof recordedTarget>>;

/** What a resource records of the target it works on. */
export function recorded(target: ResolvedTarget): RecordedTarget {
  const { branchId, branchName, branchIsDefault, endpointId, database } = target;
  const owner = database === undefined ? {} : { owner: database.owner };
  return { branchId, branchName, branchIsDefault, endpointId, ...owner };
}

/**
 * Whether new inputs name the database that the state was made on, by what the state recorded: `undefined`, the
 * branch's name and its id can all mean the same branch, and a change between them must not replace anything.
 */
export function sameTarget(state: Target & Partial<RecordedTarget>, inputs: Target): boolean {
  if (state.projectId !== inputs.projectId || state.database !== inputs.database) return false;
  if (state.branch === inputs.branch) return true;
  if (inputs.branch === undefined) return state.branchIsDefault === true;
  return inputs.branch === state.branchName || inputs.branch === state.branchId;
}
