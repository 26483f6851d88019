import { randomBytes } from "node:crypto";
import * as z from "zod";
import type { Session } from "../../contract/session";
import { quoteLiteral } from "../sql/quote";

/**
 * The ownership mark: the COMMENT on every object this module makes in a database, written in the transaction that
 * makes the object. It says which resource made the object, so that an interrupted create can continue with its own
 * work, and nobody else's object is changed or dropped. Every role can read comments, so a mark never holds a secret.
 *
 * The id decides whose an object is. The names decide where one side has no id: the state of a create that was
 * interrupted, and the mark that an older release wrote.
 */
export interface Mark {
  /** Neon project of the branch that the object was made on. */
  readonly projectId: string;
  /** A copied or restored branch carries the marks of its origin: comparing the id tells them apart. */
  readonly branchId: string;
  /** Name of the database that the declaring resource names. */
  readonly database: string;
  /**
   * Oid of the database, for an object inside one. Copies of a branch keep it; a database that a dump is restored into
   * has another one.
   */
  readonly databaseOid?: number;
  /** The declaring resource, `<project>/<stack>/<name>`. For people: stack, project and component may be renamed. */
  readonly managedBy: string;
  /** Made with the object, and kept in the resource's state as `ownershipId`. In an expected mark: the state's id. */
  readonly id?: string;
}

/** A value that a comment carries besides the mark, e.g. what an adopted object was before. */
export interface Appendix<Value> {
  /** `"second line"`: JSON in the line after the mark. Otherwise the value is a further property of the mark's JSON. */
  readonly place: "second line" | { readonly property: string };
  /** The shape of the value. A comment with anything else counts as one without the value. */
  readonly schema: z.ZodType<Value>;
}

/** A mark that was read from a comment, with the value of the {@link Appendix} that was asked for, if it has one. */
export interface DecodedMark<Value> {
  readonly mark: Mark;
  readonly appended: Value | undefined;
}

/**
 * What a mark says about an object, seen from one resource:
 * - `ours`: this resource made it: the mark has the id of its state, or its names and this branch;
 * - `copy of another branch`: the object came along when the branch was copied or restored, or with a dump of another
 *   project or branch;
 * - `copy of another database`: it came with a dump or a copy of another database of this branch;
 * - `other resource`: another resource of this module made it, on this branch;
 * - `none`: the object was not made by this module.
 */
export type Ownership =
  "ours" | "copy of another branch" | "copy of another database" | "other resource" | "none";

/** How the comment on everything that this module makes begins. */
export const MARK_PREFIX = "Made by pulumi-neon-bemi; it is removed by pulumi destroy. ";

/** The shape of a {@link Mark}. */
export const markFields = z.object({
  projectId: z.string(),
  branchId: z.string(),
  database: z.string(),
  databaseOid: z.number().optional(),
  managedBy: z.string(),
  id: z.string().optional(),
});

/**
 * The mark of an object inside a database: a schema, a publication, an event trigger. It names the database of the
 * session, as the object lives and dies with it. A role does not, so role/roleMark.ts has a rule of its own.
 */
export function databaseObjectMark(
  { target: { projectId, branchId, database } }: Pick<Session, "target">,
  { managedBy, ownershipId }: { readonly managedBy: string; readonly ownershipId?: string },
): Mark {
  return {
    projectId,
    branchId,
    database: database.name,
    ...(database.oid === undefined ? {} : { databaseOid: database.oid }),
    managedBy,
    ...(ownershipId === undefined ? {} : { id: ownershipId }),
  };
}

/**
 * The mark to write on an object: with the id of the state, otherwise with the id found on an object of this resource,
 * otherwise with a new one.
 *
 * @param comment the object's comment; left out where there is no object yet
 */
export function identified(expected: Mark, comment?: string | null): Mark & { readonly id: string } {
  return identifiedBy(expected, decodeMark(comment)?.mark);
}

/** As {@link identified}, with the mark that was found. */
export function identifiedBy(expected: Mark, found: Mark | undefined): Mark & { readonly id: string } {
  const id = compareMarks(found, expected) === "ours" ? found?.id : undefined;
  return { ...expected, id: expected.id ?? id ?? randomBytes(8).toString("hex") };
}

/** Whether a comment begins as those of this module do. */
export function hasMark(comment: string | null | undefined): boolean {
  return comment?.startsWith(MARK_PREFIX) === true;
}

/** The text of the COMMENT: the mark and, if given, one value in the place that its appendix names. */
export function encodeMark(mark: Mark): string;
export function encodeMark<Value>(mark: Mark, appendix: Appendix<Value>, value: Value): string;
export function encodeMark<Value>(
  { projectId, branchId, database, databaseOid, managedBy, id }: Mark,
  appendix?: Appendix<Value>,
  value?: Value,
): string {
  // In this order in the text, where fields that are not known are left out.
  const fields = { projectId, branchId, database, databaseOid, managedBy, id };
  if (appendix === undefined) return MARK_PREFIX + JSON.stringify(fields);
  const { place } = appendix;
  return place === "second line"
    ? `${MARK_PREFIX}${JSON.stringify(fields)}\n${JSON.stringify(value)}`
    : MARK_PREFIX + JSON.stringify({ ...fields, [place.property]: value });
}

/** The mark in a comment, with the appended value; `undefined` for a comment that this module did not write. */
export function decodeMark<Value = never>(
  comment: string | null | undefined,
  appendix?: Appendix<Value>,
): DecodedMark<Value> | undefined {
  if (!comment?.startsWith(MARK_PREFIX)) return undefined;
  const [first = "", second = ""] = comment.slice(MARK_PREFIX.length).split("\n", 2);
  const fields = fromJson(first);
  const mark = markFields.safeParse(fields);
  if (!mark.success) return undefined;
  if (appendix === undefined) return { mark: mark.data, appended: undefined };
  const { place, schema } = appendix;
  const value =
    place === "second line" ? fromJson(second) : (fields as Record<string, unknown>)[place.property];
  return { mark: mark.data, appended: schema.safeParse(value).data };
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** SQL that says whether a comment, an expression, begins as a mark does. */
export function isMarkSql(comment: string): string {
  return `starts_with(${comment}, ${quoteLiteral(MARK_PREFIX)})`;
}

/**
 * Compares a comment with the mark that this resource expects. Whether the comment can be believed is another question:
 * an object of a database says so by its owner, see ownObjects.ts.
 */
export function ownership(comment: string | null | undefined, expected: Mark): Ownership {
  return compareMarks(decodeMark(comment)?.mark, expected);
}

/** Compares a mark that was found with the one that this resource expects. */
export function compareMarks(found: Mark | undefined, expected: Mark): Ownership {
  if (found === undefined) return "none";
  const same = sameId(found, expected);
  // Restoring a branch gives it a new id, while its objects keep the mark with the old one.
  if (same === true) return "ours";
  if (found.projectId !== expected.projectId || found.branchId !== expected.branchId)
    return "copy of another branch";
  if (same === undefined && sameNames(found, expected)) return "ours";
  return ofSameDatabase(found, expected) === false ? "copy of another database" : "other resource";
}

/**
 * Whether this resource made the object, on whatever branch. Ask this only of an object that the state says this
 * resource made: restoring a branch gives it a new id, while its objects keep the mark with the old id.
 */
export function madeByResource(comment: string | null | undefined, expected: Mark): boolean {
  const found = decodeMark(comment)?.mark;
  return found !== undefined && isMarkOfResource(found, expected);
}

/** Whether the mark was written by this resource, on whatever branch. */
export function isMarkOfResource(found: Mark, expected: Mark): boolean {
  return sameId(found, expected) ?? (found.projectId === expected.projectId && sameNames(found, expected));
}

/** `undefined` where one of the marks has no id. */
function sameId(found: Mark, expected: Mark): boolean | undefined {
  return found.id === undefined || expected.id === undefined ? undefined : found.id === expected.id;
}

/** `undefined` where one of the marks does not say. */
function ofSameDatabase(found: Mark, expected: Mark): boolean | undefined {
  if (found.databaseOid === undefined || expected.databaseOid === undefined) return undefined;
  return found.databaseOid === expected.databaseOid;
}

function sameNames(found: Mark, expected: Mark): boolean {
  return found.database === expected.database && found.managedBy === expected.managedBy;
}

/**
 * Whether the object was made by this module and came along with a copy, of the branch or of the database. No trail uses
 * the copy.
 */
export function isCopy(found: Ownership): found is "copy of another branch" | "copy of another database" {
  return found === "copy of another branch" || found === "copy of another database";
}

/**
 * Whether `adopt: true` may take the object over: nobody made it with this module, or it is a copy. An object of another
 * trail in this database is in use.
 */
export function isAdoptable(found: Ownership): boolean {
  return found === "none" || isCopy(found);
}

/**
 * The error text for an object that exists already under the name of one that is to be made.
 *
 * @param what kind and quoted name, as COMMENT ON takes them, e.g. `Publication "bemi"`
 * @param expected the mark of this resource, to tell a maker of the same name
 * @param effect what adopting would do, as a sentence
 */
export function existsAlready(
  what: string,
  found: Ownership,
  comment: string | null,
  expected?: Mark,
  effect?: string,
): string {
  if (found === "other resource") {
    const named = wayOut(decodeMark(comment)?.mark, expected, "choose another name");
    return (
      `${what} exists already and ${describeOwnership(found, comment, expected)}. It is not adopted from another trail. ` +
      `${named}, or destroy that trail first. If its stack no longer exists, run COMMENT ON ${what} IS NULL; and set adopt: true.`
    );
  }
  const why = found === "ours" ? "" : ` and ${describeOwnership(found, comment, expected)}`;
  const advice = "Set adopt: true to take it over, or choose another name.";
  return [`${what} exists already${why}.`, advice, ...(effect === undefined ? [] : [effect])].join(" ");
}

/**
 * The way out where another resource made the object. If that is one of the same Pulumi project, for the same
 * database, the user may only have renamed the component or the resource. To Pulumi, a new name without an alias is a new
 * resource. It is created before the old one is deleted, so the old one's object is in the way. The stack is not compared,
 * because a mark keeps the name of a stack that was renamed until the next update.
 *
 * The old name comes back first, because after an `up` that failed the component of the new name is in the state, and
 * then Pulumi does not look at its aliases.
 *
 * @param otherwise what to do if nothing was renamed, as the beginning of a sentence in lower case
 */
export function wayOut(found: Mark | undefined, expected: Mark | undefined, otherwise: string): string {
  const [before, now] = [declared(found), declared(expected)];
  const renamed =
    before !== undefined &&
    before.project === now?.project &&
    before.name !== now.name &&
    found?.database === expected?.database;
  if (!renamed) return otherwise.charAt(0).toUpperCase() + otherwise.slice(1);
  const ofTrails = before.trail !== undefined && now.trail !== undefined;
  const [what, name] = ofTrails ? ["trail", before.trail] : ["resource", before.name];
  return (
    `If this ${what} was only renamed in the program, change the name back and run up, then rename it with the ` +
    `option { aliases: [{ name: "${name}" }] }. Otherwise ${otherwise}`
  );
}

/**
 * The parts of a mark's `<project>/<stack>/<name>`. A `BemiAuditTrail` names its resources by its own name and what
 * they are.
 */
function declared(mark: Mark | undefined) {
  const [, project, name] = /^([^/]+)\/[^/]+\/(.+)$/.exec(mark?.managedBy ?? "") ?? [];
  if (project === undefined || name === undefined) return undefined;
  return { project, name, trail: /^(.+)-(role|identity|publication)$/.exec(name)?.[1] };
}

/** The line for an object whose mark has this resource's names, although the resource is in no state. */
export function takenOver(what: string): string {
  return `${what} exists with this trail's mark and is taken over: an up that was interrupted or a stack that had adopted it left it, or a stack of the same name in another backend made it.`;
}

/** Why an existing object does not count as made by this resource, as the end of a sentence. */
export function describeOwnership(
  found: Exclude<Ownership, "ours">,
  comment: string | null,
  expected?: Mark,
): string {
  return describeMark(found, decodeMark(comment)?.mark, expected);
}

/** The same, of a mark that was read already. */
export function describeMark(
  found: Exclude<Ownership, "ours">,
  mark: Mark | undefined,
  expected?: Mark,
): string {
  switch (found) {
    case "none":
      return "was not made by this module";
    case "copy of another branch": {
      const came =
        mark === undefined || expected === undefined || mark.projectId === expected.projectId
          ? "came with the branch: it was made"
          : `came with a dump of project ${mark.projectId}: it was made`;
      return `${came} on branch ${mark?.branchId ?? "?"} by ${mark?.managedBy ?? "?"}`;
    }
    case "copy of another database":
      return `came with a dump or a copy of database ${mark?.database ?? "?"}: it was made there by ${mark?.managedBy ?? "?"}`;
    case "other resource":
      if (expected !== undefined && mark !== undefined && sameNames(mark, expected))
        return `was made by another stack of the same name, ${mark.managedBy}, perhaps in another backend`;
      return `was made by ${mark?.managedBy ?? "?"} for database ${mark?.database ?? "?"}`;
  }
}
