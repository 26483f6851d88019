import { z } from "zod";

/** Names that every consumer of a publication or slot reads the same way (Debezium misreads others). */
const plainName = z
  .string()
  .regex(
    /^[a-z0-9_]{1,63}$/,
    "must be 1 to 63 lower-case letters, digits or underscores: consumers such as Debezium misread other names",
  );

const roleName = z
  .string()
  .min(1, "must not be empty")
  .refine((name) => Buffer.byteLength(name) <= 63, "must be at most 63 bytes")
  .refine(
    (name) => !/^pg_|^(neon_superuser|cloud_admin|zenith_admin|public|none)$/i.test(name),
    "is reserved by PostgreSQL or Neon",
  );

const neonId = z
  .string()
  .regex(/^[a-z0-9-]{1,60}$/, "must be a Neon id: lower-case letters, digits and hyphens");

/** The Neon project and branch. */
const branchTarget = {
  projectId: neonId,
  branch: z.string().min(1, "must not be empty").optional(),
};

/** The database that a kind works in. */
const databaseTarget = { ...branchTarget, database: z.string().min(1, "must not be empty") };

/** Which tables are tracked; names are `schema.table`, literal and case-sensitive, `"quoted"` where a part has a dot. */
const selection = {
  schemas: z.array(z.string().min(1)).min(1).optional(),
  tables: z.array(z.string().min(3)).min(1).optional(),
  allTables: z.literal(true).optional(),
  excludeTables: z.array(z.string().min(3)).optional(),
};

function oneSelection(value: { schemas?: unknown; tables?: unknown; allTables?: unknown }): boolean {
  return [value.schemas, value.tables, value.allTables].filter((part) => part !== undefined).length === 1;
}
const ONE_SELECTION = { error: "give exactly one of schemas, tables and allTables" };

/** Names the declaring resource, `<project>/<stack>/<name>`: the ownership mark on objects carries it. */
const managedBy = z.string().min(1);

/** What a whole trail is going to make, so that every obstacle is found before the first write of any resource. */
const preflightInputs = z
  .strictObject({
    ...selection,
    role: roleName,
    roleCreatedBy: z.enum(["sql", "api"]),
    /** `managedBy` of the resource that makes the role, to tell its own role from somebody else's. */
    roleManagedBy: managedBy,
    publication: plainName,
    publicationManagedBy: managedBy,
    slot: plainName,
    adopt: z.boolean(),
  })
  .refine(oneSelection, ONE_SELECTION);

export const logicalReplicationInputs = z.strictObject({
  ...branchTarget,
  /** With a database, the whole target is resolved, connected to and checked before anything is changed. */
  database: z.string().min(1).optional(),
  mode: z.enum(["enable", "require"]),
  /** Looked into in the database, which must be given with it. */
  preflight: preflightInputs.optional(),
});

export const apiRoleInputs = z.strictObject({
  ...databaseTarget,
  name: roleName,
  adopt: z.boolean(),
  /** Any change sets a new password. */
  passwordVersion: z.number().int().optional(),
});

export const ipAllowInputs = z.strictObject({
  projectId: neonId,
  ips: z.array(z.string()).min(1, "must name at least one address"),
  /** Permits adding to an empty list, which is open to all: from then on only these addresses get in. */
  restrictOpenProject: z.boolean(),
  /** Permits taking the last entry away, which opens the project to every address. */
  openRestrictedProject: z.boolean(),
});

export const replicationRoleInputs = z.strictObject({
  ...databaseTarget,
  name: roleName,
  adopt: z.boolean(),
  managedBy,
  /** Any change sets a new password. */
  passwordVersion: z.number().int().optional(),
});

export const readAccessInputs = z
  .strictObject({ ...databaseTarget, role: roleName, ...selection })
  .refine(oneSelection, ONE_SELECTION);

export const replicaIdentityInputs = z
  .strictObject({
    ...databaseTarget,
    ...selection,
    trackNewTables: z.boolean(),
    /** The publication these identities serve: its name separates the records of two trails in one database. */
    publication: plainName,
    managedBy,
  })
  .refine(oneSelection, ONE_SELECTION);

export const publicationInputs = z
  .strictObject({
    ...databaseTarget,
    name: plainName,
    ...selection,
    trackNewTables: z.boolean(),
    adopt: z.boolean(),
    managedBy,
  })
  .refine(oneSelection, ONE_SELECTION);

export const replicationSlotInputs = z.strictObject({
  ...databaseTarget,
  name: plainName,
  /** The role whose consumer uses the slot; only its connections are ever ended. */
  role: roleName,
  dropOnDestroy: z.boolean(),
});

export const readinessInputs = z
  .strictObject({
    ...databaseTarget,
    ...selection,
    role: roleName,
    publication: plainName,
    slot: plainName,
    trackNewTables: z.boolean(),
    /** Fingerprints of what is verified: a change of one makes the next `up` verify again. */
    after: z.array(z.string()),
  })
  .refine(oneSelection, ONE_SELECTION);

export type PreflightInputs = z.infer<typeof preflightInputs>;
export type LogicalReplicationInputs = z.infer<typeof logicalReplicationInputs>;
export type ApiRoleInputs = z.infer<typeof apiRoleInputs>;
export type IpAllowInputs = z.infer<typeof ipAllowInputs>;
export type ReplicationRoleInputs = z.infer<typeof replicationRoleInputs>;
export type ReadAccessInputs = z.infer<typeof readAccessInputs>;
export type ReplicaIdentityInputs = z.infer<typeof replicaIdentityInputs>;
export type PublicationInputs = z.infer<typeof publicationInputs>;
export type ReplicationSlotInputs = z.infer<typeof replicationSlotInputs>;
export type ReadinessInputs = z.infer<typeof readinessInputs>;
