import type { Session } from "../../contract/session";
import { quoteLiteral } from "../sql/quote";

/**
 * The ownership mark: the COMMENT on every object this module makes in a database, written in the transaction that
 * makes it. It says who made the object, so that an interrupted create can go on with its own work and nothing is
 * taken from anybody else. Every role can read comments, so there is never a secret in it.
 */
export interface Mark {
  readonly projectId: string;
  /** A copied or restored branch carries the marks of its origin: comparing the id tells them apart. */
  readonly branchId: string;
  readonly database: string;
  /** The declaring resource, `<project>/<stack>/<name>`. */
  readonly managedBy: string;
}

/**
 * What a mark says about an object, seen from one resource:
 * - `ours`: this resource made it, here;
 * - `copy of another branch`: the object came along when the branch was copied or restored;
 * - `other resource`: another resource of this module made it, here;
 * - `none`: somebody else made it.
 */
export type Ownership = "ours" | "copy of another branch" | "other resource" | "none";

const PREFIX = "Made by pulumi-neon-bemi; it is removed by pulumi destroy. ";

/** The mark of an object that a resource makes in the database of a session. */
export function markOf(
  { target: { projectId, branchId, database } }: Pick<Session, "target">,
  { managedBy }: { readonly managedBy: string },
): Mark {
  return { projectId, branchId, database: database.name, managedBy };
}

/** The text of the COMMENT. Further lines may follow it: only the first one is the mark. */
export function formatMark({ projectId, branchId, database, managedBy }: Mark): string {
  return PREFIX + JSON.stringify({ projectId, branchId, database, managedBy });
}

/** SQL that says whether a comment, an expression, begins as a mark does. */
export function isMarkSql(comment: string): string {
  return `starts_with(${comment}, ${quoteLiteral(PREFIX)})`;
}

/** The mark in a comment; `undefined` when the comment is not one of ours. */
export function parseMark(comment: string | null | undefined): Mark | undefined {
  if (!comment?.startsWith(PREFIX)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(comment.slice(PREFIX.length).split("\n", 1)[0] ?? "");
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { projectId, branchId, database, managedBy } = value as Record<string, unknown>;
  if (typeof projectId !== "string" || typeof branchId !== "string") return undefined;
  if (typeof database !== "string" || typeof managedBy !== "string") return undefined;
  return { projectId, branchId, database, managedBy };
}

/** Compares the comment of an object with the mark that this resource would write now. */
export function ownership(comment: string | null | undefined, mine: Mark): Ownership {
  const found = parseMark(comment);
  if (found === undefined) return "none";
  if (found.projectId !== mine.projectId || found.branchId !== mine.branchId) return "copy of another branch";
  return found.database === mine.database && found.managedBy === mine.managedBy ? "ours" : "other resource";
}

/**
 * Whether this resource made the object, on whatever branch. For objects that the state says are ours: restoring a
 * branch gives it a new id while the objects keep the mark with the old one.
 */
export function madeByResource(comment: string | null | undefined, mine: Mark): boolean {
  const found = parseMark(comment);
  return (
    found?.projectId === mine.projectId &&
    found.database === mine.database &&
    found.managedBy === mine.managedBy
  );
}

/** What to say where an object is in the way of one that is to be made. */
export function existsAlready(what: string, found: Ownership, comment: string | null): string {
  const why = found === "ours" ? "" : ` and ${describeOwnership(found, comment)}`;
  return `${what} exists already${why}. Set adopt: true to take it over, or choose another name.`;
}

/** Why an object that exists already cannot be taken for ours, as the end of a sentence. */
export function describeOwnership(found: Exclude<Ownership, "ours">, comment: string | null): string {
  const mark = parseMark(comment);
  switch (found) {
    case "none":
      return "was not made by this module";
    case "copy of another branch":
      return `came with the branch: it was made on branch ${mark?.branchId ?? "?"} by ${mark?.managedBy ?? "?"}`;
    case "other resource":
      return `was made by ${mark?.managedBy ?? "?"} for database ${mark?.database ?? "?"}`;
  }
}
