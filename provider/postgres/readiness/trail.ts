import type { Selection } from "../selection/selection";

/** What is verified: the objects of a trail, by name, and the selection of its tables. */
export interface Trail extends Selection {
  /** Whether new tables are to be tracked from their first row. */
  readonly trackNewTables: boolean;
  readonly role: string;
  readonly publication: string;
  readonly slot: string;
}
