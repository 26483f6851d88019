/** One read of the catalogs, as plain values for planning. Oids are numbers; names are literal, not quoted. */
export interface Catalog {
  readonly server: ServerFacts;
  readonly roles: readonly RoleFacts[];
  readonly tables: readonly TableFacts[];
  /** Views, materialized views and foreign tables of non-system schemas, for whoever names one as a table. */
  readonly otherRelations: readonly OtherRelation[];
  readonly publications: readonly PublicationFacts[];
  readonly slots: readonly SlotFacts[];
  readonly eventTriggers: readonly EventTriggerFacts[];
  /**
   * The procedures called `_bemi_set_replica_identity`, which Neon's guide for Bemi has its readers make, as
   * `schema.name`.
   */
  readonly bemiProcedures: readonly string[];
  /** Non-system schemas. */
  readonly schemas: readonly SchemaFacts[];
  /** What is in the schema that the module makes, whoever made it. */
  readonly inModuleSchema: readonly SchemaObject[];
}

export interface ServerFacts {
  readonly version: number;
  readonly walLevel: string;
  readonly inRecovery: boolean;
  readonly maxSlots: number;
  readonly maxSenders: number;
  readonly senders: number;
  /** Of this database; a copy of the server keeps it, a restored dump does not. */
  readonly databaseOid: number;
  /** Whether we may create schemas and publications here. */
  readonly mayCreateInDatabase: boolean;
  /** Attributes of the role we are connected as. */
  readonly currentRole: string;
  readonly currentRoleIsSuperuser: boolean;
  readonly currentRoleMayReplicate: boolean;
  readonly currentRoleMayCreateRoles: boolean;
  /** Settings of this database, of our role or of both that switch event triggers off. */
  readonly eventTriggersOff: readonly SettingFacts[];
}

/** A setting that ALTER DATABASE or ALTER ROLE has made. */
export interface SettingFacts {
  readonly name: string;
  /** The role it is for; `null` for all roles. */
  readonly role: string | null;
  /** The database it is for; `null` for all databases. */
  readonly database: string | null;
}

/** Roles other than PostgreSQL's own `pg_*`. */
export interface RoleFacts {
  readonly oid: number;
  readonly name: string;
  readonly canLogin: boolean;
  readonly replication: boolean;
  readonly superuser: boolean;
  readonly createRole: boolean;
  readonly createDb: boolean;
  readonly bypassRls: boolean;
  readonly inherit: boolean;
  readonly connectionLimit: number;
  readonly validUntil: string | null;
  /** `rolconfig`, e.g. `default_transaction_read_only=on`. */
  readonly settings: readonly string[];
  /** COMMENT ON ROLE. */
  readonly comment: string | null;
  /** Names of the roles it is a member of. */
  readonly memberOf: readonly string[];
  /**
   * From PostgreSQL 16 on: the role that made it, and roles that a superuser gave ADMIN on it. Empty if a superuser made
   * it, and on older versions, which do not keep who made a role.
   */
  readonly makers: readonly string[];
  /** Whether it may CONNECT to this database. */
  readonly mayConnect: boolean;
}

/** Every table of a non-system schema: ordinary and partitioned ones, whatever their persistence. */
export interface TableFacts {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly owner: string;
  /** Whether we are the owner, or a member of it who inherits its rights: needed for identity and publication. */
  readonly mayAlter: boolean;
  readonly partitioned: boolean;
  /** Oids of the partitioned tables above this partition, nearest first; empty for what is not a partition. */
  readonly ancestors: readonly number[];
  /**
   * Oids of the tables above it by INHERITS, in whatever number of steps. Empty for partitions and partitioned tables.
   */
  readonly inheritsFrom: readonly number[];
  readonly persistence: "permanent" | "unlogged" | "temporary";
  readonly identity: "default" | "nothing" | "full" | "index";
  /** The index of an `index` identity, unless it has been dropped. */
  readonly identityIndex: IndexFacts | null;
  /** A primary key that can serve as identity: valid and not deferrable. */
  readonly hasPrimaryKey: boolean;
  readonly extensionMember: boolean;
  readonly storedGenerated: boolean;
  readonly virtualGenerated: boolean;
  readonly rowSecurity: boolean;
  /** Publications that list this very table (not: by schema, by all tables, or through a parent). */
  readonly listedIn: readonly ListedIn[];
}

export interface OtherRelation {
  readonly schema: string;
  readonly name: string;
  readonly kind: "view" | "materialized view" | "foreign table";
}

export interface ListedIn {
  readonly publication: string;
  readonly columnList: boolean;
  readonly rowFilter: boolean;
}

export interface PublicationFacts {
  readonly oid: number;
  readonly name: string;
  readonly owner: string;
  /** Whether we own it, or inherit its owner's rights. */
  readonly mayAlter: boolean;
  readonly allTables: boolean;
  /** Schemas of FOR TABLES IN SCHEMA. */
  readonly schemas: readonly string[];
  readonly insert: boolean;
  readonly update: boolean;
  readonly delete: boolean;
  readonly truncate: boolean;
  readonly viaRoot: boolean;
  /** `publish_generated_columns`; `null` before PostgreSQL 18, which has no such option. */
  readonly generatedColumns: "none" | "stored" | null;
  readonly comment: string | null;
}

export interface SlotFacts {
  readonly name: string;
  /** Output plugin; `null` for a physical slot. */
  readonly plugin: string | null;
  /** Name of the database; `null` for a physical slot. */
  readonly database: string | null;
  /** Whether it goes with the session that made it. */
  readonly temporary: boolean;
  readonly active: boolean;
  /** Role of the walsender that holds it, where it is active and we may see it. */
  readonly activeRole: string | null;
  readonly walStatus: string | null;
  /** Bytes of WAL it holds back; `null` where unknown. */
  readonly retainedBytes: number | null;
}

export interface EventTriggerFacts {
  readonly name: string;
  /**
   * Whether it fires in ordinary sessions of this database, as far as its own state says: also where
   * `session_replication_role` is `replica` there, if that is so for the database or for our role.
   */
  readonly enabled: boolean;
  readonly owner: string;
  readonly comment: string | null;
}

export interface SchemaFacts {
  readonly oid: number;
  readonly name: string;
  readonly owner: string;
  readonly comment: string | null;
}

/** An index that serves as replica identity. */
export interface IndexFacts {
  readonly oid: number;
  readonly name: string;
  /** Names of its columns, in the index's order. */
  readonly columns: readonly string[];
}

/** An object in a schema. */
export interface SchemaObject {
  /** In PostgreSQL's words: `table`, `view`, `type`, ...; `function` only for what an event trigger can call. */
  readonly kind: string;
  /** Without its schema; for a routine that is no function of an event trigger, with its arguments. */
  readonly name: string;
  /** `null` for kinds that the module never makes. */
  readonly owner: string | null;
}
