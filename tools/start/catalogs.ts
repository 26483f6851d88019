import type { Client } from "pg";
import { catalogFactsStatement } from "./catalogQuery";

/** One object of a database or project, and its properties as a text that can be compared. */
export interface Fact {
  /** Kind of the object, in PostgreSQL's words, e.g. `replica identity`. */
  readonly kind: string;
  readonly object: string;
  readonly value: string;
}

/** A fact that changed. Without `before` the object is new; without `after` it is gone. */
export interface Difference {
  readonly kind: string;
  readonly object: string;
  readonly before?: string;
  readonly after?: string;
}

/**
 * Reads everything in the catalogs that provisioning could change, and more: roles with a hash of their passwords,
 * memberships, privileges (explicit or by default), default privileges, settings of roles and databases, publications
 * and their members, replica identities, event triggers, functions, schemas, relations with their columns,
 * constraints, triggers, policies, extensions, comments and replication slots. Left out is what changes by itself, such
 * as positions in the WAL.
 *
 * @param client - connected to the database as a superuser, because other roles cannot read all of it
 */
export async function catalogFacts(client: Client): Promise<Fact[]> {
  const { rows: settings } = await client.query<{ server_version_num: string }>("SHOW server_version_num");
  const { rows } = await client.query<Fact>(catalogFactsStatement(Number(settings[0]?.server_version_num)));
  return rows;
}

/** The project's IP Allow list as facts, including the order of its entries. */
export function allowListFacts(list: {
  readonly ips: readonly string[];
  readonly protectedBranchesOnly: boolean;
}): Fact[] {
  return [
    { kind: "IP Allow", object: "entries in their order", value: JSON.stringify(list.ips) },
    { kind: "IP Allow", object: "protected branches only", value: String(list.protectedBranchesOnly) },
  ];
}

/** The differences between two sets of facts, sorted by kind and object. */
export function compareFacts(before: readonly Fact[], after: readonly Fact[]): Difference[] {
  const then = index(before);
  const now = index(after);
  return [...new Set([...then.keys(), ...now.keys()])].sort().flatMap((key) => {
    const [was, is] = [then.get(key), now.get(key)];
    const fact = was ?? is;
    if (fact === undefined || was?.value === is?.value) return [];
    return [{ kind: fact.kind, object: fact.object, before: was?.value, after: is?.value }];
  });
}

/** The number of facts of each kind, sorted by the names of the kinds. */
export function countFacts(facts: readonly Fact[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { kind } of facts) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return new Map([...counts].sort(([a], [b]) => a.localeCompare(b)));
}

function index(facts: readonly Fact[]): Map<string, Fact> {
  return new Map(facts.map((fact) => [`${fact.kind}\u0000${fact.object}`, fact]));
}
