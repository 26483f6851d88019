import * as z from "zod";
import { identityOfTable } from "../../contract/fields/identity";
import { MARK_PREFIX, markFields } from "../ownership/mark";

/**
 * The record: what this module has to give back, as text in the comment of its schema. The first line of the comment is
 * for people, the second one is the record as JSON, a third one says who changes replica identities at the moment.
 * Every role can read comments, so the record never holds a secret.
 */

/** A selection, as the inputs of a kind give it. Without `identity`, all its tables are to be FULL. */
const selection = z.object({
  schemas: z.array(z.string()).optional(),
  tables: z.array(z.string()).optional(),
  allTables: z.literal(true).optional(),
  excludeTables: z.array(z.string()).optional(),
  identity: z
    .object({ default: identityOfTable.optional(), tables: z.record(z.string(), identityOfTable).optional() })
    .optional(),
});

/** One trail's claim on replica identities. Its fields are those of a mark, and the publication it is for. */
const claim = markFields.extend({
  publication: z.string(),
  id: z.string(),
  /**
   * Which tables the trail has set to FULL, or is about to. The last one is wanted; those before it stay until the
   * tables that left the selection have their identity back.
   */
  selections: z.array(selection).min(1),
});

/** The index of an identity: found again by its oid, otherwise by its name, otherwise by its columns. */
const indexIdentity = z.object({
  /** 0 where it is not known, as in a restored dump. */
  oid: z.number(),
  name: z.string(),
  /** In the index's order. */
  columns: z.array(z.string()),
});

/**
 * The replica identity that a table gets back. Of the tracked tables, only those that had another one than DEFAULT have an
 * entry. All claims share the entries, so a table that two trails track gets back what it had before both.
 */
const previousIdentity = z.object({
  /** Oid of the table, valid while {@link DatabaseRecord.database} is the oid of the database. */
  oid: z.number(),
  schema: z.string(),
  name: z.string(),
  /** `default` only together with `left`. */
  identity: z.enum(["default", "nothing", "full", "index"]),
  /** Only where `identity` is `index`, and the index existed. */
  index: indexIdentity.optional(),
  /**
   * The publication that the event trigger took the table out of, when a command of the application moved it out of the
   * selection. No claim covers the table by its name any more, so the entry alone says that it is still FULL because of
   * that trail.
   */
  left: z.string().optional(),
});

/** What a role that this module did not make could read before the module granted it anything. */
const accessBefore = markFields.pick({ projectId: true, branchId: true }).extend({
  role: z.string(),
  /** Oids of tables with SELECT, and of schemas with USAGE. */
  tables: z.array(z.number()),
  schemas: z.array(z.number()),
  /** Default privileges, each as the text that access/privileges.ts identifies it by. */
  defaults: z.array(z.string()),
});

const databaseRecord = z.object({
  /** Oid of the database. In a restored dump or a copied template it is another one, and the oids mean other objects. */
  database: z.number(),
  claims: z.array(claim),
  previous: z.array(previousIdentity),
  access: z.array(accessBefore),
});

export type Claim = z.infer<typeof claim>;
export type IndexIdentity = z.infer<typeof indexIdentity>;
export type PreviousIdentity = z.infer<typeof previousIdentity>;
export type AccessBefore = z.infer<typeof accessBefore>;
export type DatabaseRecord = z.infer<typeof databaseRecord>;

/** A record with nothing in it. @param database oid of the database */
export function emptyRecord(database: number): DatabaseRecord {
  return { database, claims: [], previous: [], access: [] };
}

/** Whether nothing has to be given back any more, so that the schema may go. */
export function isEmpty({ claims, previous, access }: DatabaseRecord): boolean {
  return claims.length + previous.length + access.length === 0;
}

const FOR_PEOPLE = `${MARK_PREFIX}What it has to give back in this database stands in the next line.`;

/** The comment that holds the record, without the line that says who changes identities at the moment. */
export function encodeRecord(record: DatabaseRecord): string {
  return `${FOR_PEOPLE}\n${JSON.stringify(record)}`;
}

/**
 * What a comment holds: `undefined` where this module did not write it, and `unreadable` where it did, but in another
 * form, as another release may.
 */
export function decodeRecord(comment: string | null | undefined): DatabaseRecord | "unreadable" | undefined {
  if (!comment?.startsWith(MARK_PREFIX)) return undefined;
  return databaseRecord.safeParse(fromJson(comment.split("\n", 2)[1] ?? "")).data ?? "unreadable";
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
