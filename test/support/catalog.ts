import type { Catalog, PublicationFacts, RoleFacts, TableFacts } from "../../provider/contract/catalog";

/** A catalog as plain values, for tests of functions that plan from a catalog. */
export function catalogOf(parts: Partial<Catalog> & { version?: number } = {}): Catalog {
  const { version = 170010, ...rest } = parts;
  return {
    server: {
      version,
      walLevel: "logical",
      inRecovery: false,
      maxSlots: 10,
      maxSenders: 10,
      senders: 0,
      databaseOid: 5,
      mayCreateInDatabase: true,
      currentRole: "neondb_owner",
      currentRoleIsSuperuser: false,
      currentRoleMayReplicate: true,
      currentRoleMayCreateRoles: true,
      eventTriggersOff: [],
    },
    roles: [],
    tables: [],
    otherRelations: [],
    publications: [],
    slots: [],
    eventTriggers: [],
    schemas: ["public", "shop"].map((name, oid) => ({ oid, name, owner: "neondb_owner", comment: null })),
    inModuleSchema: [],
    bemiProcedures: [],
    ...rest,
  };
}

let lastOid = 16384;

/** An ordinary table with a primary key. @param name `schema.table` */
export function table(name: string, facts: Partial<TableFacts> = {}): TableFacts {
  const [schema = "", relation = ""] = name.split(".");
  lastOid += 1;
  return {
    oid: lastOid,
    schema,
    name: relation,
    owner: "neondb_owner",
    mayAlter: true,
    partitioned: false,
    ancestors: [],
    inheritsFrom: [],
    persistence: "permanent",
    identity: "default",
    identityIndex: null,
    hasPrimaryKey: true,
    extensionMember: false,
    storedGenerated: false,
    virtualGenerated: false,
    rowSecurity: false,
    listedIn: [],
    ...facts,
  };
}

/** A table's entry for one publication that lists it. */
export function listed(publication: string, columnList = false): TableFacts["listedIn"] {
  return [{ publication, columnList, rowFilter: false }];
}

/** A publication without tables that publishes every operation. */
export function publication(name: string, facts: Partial<PublicationFacts> = {}): PublicationFacts {
  return {
    oid: 1,
    name,
    owner: "neondb_owner",
    mayAlter: true,
    allTables: false,
    schemas: [],
    insert: true,
    update: true,
    delete: true,
    truncate: true,
    viaRoot: false,
    generatedColumns: null,
    comment: null,
    ...facts,
  };
}

/** A role as the provider makes it. */
export function role(name: string, facts: Partial<RoleFacts> = {}): RoleFacts {
  return {
    oid: 2,
    name,
    canLogin: true,
    replication: true,
    superuser: false,
    createRole: false,
    createDb: false,
    bypassRls: false,
    inherit: true,
    connectionLimit: -1,
    validUntil: null,
    settings: ["default_transaction_read_only=on"],
    comment: null,
    memberOf: [],
    makers: ["neondb_owner"],
    mayConnect: true,
    ...facts,
  };
}

/** A replication slot of the trail's database. */
export function slot(name: string, active = false): Catalog["slots"][number] {
  return {
    name,
    plugin: "pgoutput",
    database: "neondb",
    active,
    activeRole: null,
    walStatus: "reserved",
    temporary: false,
    retainedBytes: 0,
  };
}
