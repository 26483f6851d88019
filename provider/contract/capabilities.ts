/**
 * What differs between PostgreSQL versions, by name. This file is the only place that compares version numbers: code
 * asks for the capability it needs.
 */
export interface Capabilities {
  /** The module works here at all: from PostgreSQL 14 on. */
  readonly supported: boolean;
  /**
   * Publications have schemas, column lists and row filters, and `ALTER PUBLICATION ... ADD` locks the publication
   * against a concurrent DROP: from 15 on.
   */
  readonly partialPublications: boolean;
  /**
   * A role with CREATEROLE and REPLICATION may make roles with REPLICATION, gets ADMIN on what it makes, and
   * memberships have INHERIT and SET options: from 16 on. Before, only a superuser makes a role with REPLICATION.
   */
  readonly delegatedRoles: boolean;
  /** Virtual generated columns, and the publication option `publish_generated_columns`: from 18 on. */
  readonly publishesGeneratedColumns: boolean;
}

/** @param serverVersion `server_version_num`, e.g. 170010 */
export function capabilities(serverVersion: number): Capabilities {
  const since = (major: number): boolean => serverVersion >= major * 10_000;
  return {
    supported: since(14),
    partialPublications: since(15),
    delegatedRoles: since(16),
    publishesGeneratedColumns: since(18),
  };
}
