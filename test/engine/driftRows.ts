import type { Sight } from "../support/previewText";
import { has } from "../support/features";
import { DEFAULT_VERSION } from "../support/postgres";
import { ROLE_BY_API, ROLE_KIND } from "../support/trailRole";
import type { TrailStack } from "../support/trailStack";

/** Something that somebody does behind the stack's back. */
export interface DriftRow {
  /** As the heading in docs/drift.md says it. */
  readonly what: string;
  /** As the owner of the database, in a session of its own; or otherwise a function. */
  readonly does: string | ((stack: TrailStack) => Promise<unknown>);
  /** Where the next preview shows it. */
  readonly sights: readonly Sight[];
  /** What the preview must show there. */
  readonly shows: RegExp;
  /**
   * Whether it is about what only a role has that is made in SQL: attributes, memberships and privileges of the module's. A
   * role of Neon's API has what Neon gives it, and can read every table.
   */
  readonly sqlRoleOnly?: true;
}

/** Rows whose drift one preview names and one up mends, because they do not interfere with each other. */
export interface DriftGroup {
  readonly title: string;
  readonly rows: readonly DriftRow[];
  /** Whether the preview fails, and the user has to decide. Default: false. */
  readonly fails?: true;
  /** What the user changes in the program, as the preview says, before the up. Default: nothing. */
  readonly then?: Readonly<Record<string, unknown>>;
  /**
   * Whether it takes two ups: the first one gives a table its identity back at once, because writes to it are refused, and the
   * second one makes it FULL again. Default: false.
   */
  readonly twice?: boolean;
  /** Whether other things look at the stack meanwhile, which must neither write nor wait. Default: false. */
  readonly watched?: true;
  /** The facts of the catalog that differ from the healthy ones after the up. */
  readonly leaves?: RegExp;
}

/** The arguments of the trail, besides project and database. */
export const ARGS = {
  branch: "main",
  allowedIps: ["127.0.0.0/8", "203.0.113.7"],
  restrictOpenProject: true,
};

/** What somebody does to objects of each kind, for an up that acts as another role than the one before. */
export const DAMAGE = `
  ${ROLE_BY_API ? "" : "ALTER ROLE bemi NOREPLICATION; REVOKE SELECT ON public.products FROM bemi;"}
  ALTER TABLE public.orders REPLICA IDENTITY DEFAULT;
  ALTER PUBLICATION bemi DROP TABLE public.customers`;

const project = ({ info }: TrailStack): string => `/projects/${info.projectId}`;
export const branchOf = ({ info }: TrailStack): string =>
  `/projects/${info.projectId}/branches/${info.branchId}`;

/** DDL of the owner that the event triggers do not see. */
function unseen(ddl: string): DriftRow["does"] {
  if (DEFAULT_VERSION >= 17) return `SET neon.event_triggers = off; ${ddl}`;
  return (stack) => stack.unseen(`SET ROLE neondb_owner; ${ddl}; RESET ROLE`);
}

export const GROUPS: readonly DriftGroup[] = [
  {
    title: "role, privileges, a new table, the IP Allow list",
    rows: [
      {
        what: "The role lost an attribute",
        does: "ALTER ROLE bemi NOREPLICATION",
        sights: [{ kind: "ReplicationRole", drift: "roleAttributesLost", says: /gets back REPLICATION/ }],
        shows: /roleAttributesLost: "REPLICATION"\nRole bemi gets back REPLICATION\.$/,
        sqlRoleOnly: true,
      },
      {
        what: "The role became a member of another role",
        does: "GRANT pg_monitor TO bemi",
        sights: [{ kind: "ReplicationRole", drift: "roleMemberships", says: /member of/ }],
        shows: /roleMemberships: "pg_monitor"\nRole bemi is no longer a member of pg_monitor\.$/,
        sqlRoleOnly: true,
      },
      {
        what: "One grant of many was revoked",
        does: "REVOKE SELECT ON public.products FROM bemi",
        sights: [{ kind: "ReadAccess", drift: "missingPrivileges", says: /SELECT/ }],
        shows:
          /missingPrivileges: "SELECT on public\.products"\nRole bemi gets SELECT on 1 table: public\.products\.$/,
        sqlRoleOnly: true,
      },
      {
        what: "A new table that the event triggers did not see",
        does: unseen("CREATE TABLE public.payouts (id int PRIMARY KEY)"),
        sights: [
          { kind: "ReplicaIdentity", drift: "identityNotFull", says: /FULL/ },
          { kind: "Publication", drift: "notPublished", says: /added/ },
        ],
        shows:
          /identityNotFull: "public\.payouts"\n.*\(now DEFAULT\)\n.*\n.*notPublished: "public\.payouts"\n1 table is added/,
      },
      {
        what: "An entry was removed from the IP Allow list",
        does: (stack) =>
          stack.api("PATCH", project(stack), {
            project: { settings: { allowed_ips: { ips: ["127.0.0.0/8"], protected_branches_only: false } } },
          }),
        sights: [{ kind: "IpAllow", drift: "missingEntries", says: /added/ }],
        shows: /missingEntries: "203\.0\.113\.7"\n1 entry is added .*: 203\.0\.113\.7\.$/,
      },
    ],
    leaves: /payouts/,
  },
  {
    title: "password, default privileges, a disabled event trigger, the publication",
    rows: [
      {
        what: "The role's password was changed",
        does: ROLE_BY_API
          ? (stack) => stack.api("POST", `${branchOf(stack)}/roles/bemi/reset_password`)
          : "ALTER ROLE bemi PASSWORD 'somebody-else-s-2026'",
        sights: [{ kind: ROLE_KIND, drift: "passwordChanged", says: /password/ }],
        shows: ROLE_BY_API
          ? /passwordChanged: "Neon has another password for the role .*"\nThe stack takes over the password/
          : /passwordChanged: "the role does not accept the password in the stack's state"\n.*new password/,
      },
      {
        what: "Default privileges were revoked",
        does: "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM bemi",
        sights: [{ kind: "ReadAccess", drift: "missingPrivileges", says: /will create/ }],
        shows:
          /missingPrivileges: "default privileges on what neondb_owner will create in 1 schema: public"\n.*1 default privilege/,
        sqlRoleOnly: true,
      },
      {
        what: "The event trigger was disabled",
        does: "ALTER EVENT TRIGGER _bemi_track DISABLE",
        sights: [{ kind: "ReplicaIdentity", drift: "eventTriggersMissing", says: /trigger/ }],
        shows: /eventTriggersMissing: "_bemi_track is disabled"\n.*enabled\.$/,
      },
      {
        what: "A table was taken out of the publication",
        does: "ALTER PUBLICATION bemi DROP TABLE public.customers",
        sights: [{ kind: "Publication", drift: "notPublished", says: /added/ }],
        shows:
          /notPublished: "public\.customers"\n1 table is added to the publication bemi: public\.customers$/,
      },
      {
        what: "The operations of the publication were changed",
        does: "ALTER PUBLICATION bemi SET (publish = 'insert')",
        sights: [{ kind: "Publication", drift: "publicationOptions", says: /Options/ }],
        shows:
          /publicationOptions: "publish = 'insert'"\nOptions of the publication bemi are set again: publish\.$/,
      },
    ],
    watched: true,
    leaves: /^role bemi$|payouts/,
  },
  {
    title: "a dropped event trigger, an identity, a deleted role",
    rows: [
      {
        what: "The event trigger was dropped",
        does: "DROP EVENT TRIGGER _bemi_track",
        sights: [{ kind: "ReplicaIdentity", drift: "eventTriggersMissing", says: /trigger/ }],
        shows: /eventTriggersMissing: "_bemi_track is gone"\nEvent triggers are created/,
      },
      {
        what: "A replica identity was reset",
        does: "ALTER TABLE public.orders REPLICA IDENTITY DEFAULT",
        sights: [{ kind: "ReplicaIdentity", drift: "identityNotFull", says: /FULL/ }],
        shows:
          /identityNotFull: "public\.orders"\n1 table gets the replica identity FULL: public\.orders \(now DEFAULT\)$/,
      },
      {
        what: "The role was deleted",
        does: (stack) => stack.api("DELETE", `${branchOf(stack)}/roles/bemi`),
        sights: [
          { kind: ROLE_KIND, says: /is made/ },
          ...(ROLE_BY_API ? [] : [{ kind: "ReadAccess", says: /SELECT/ }]),
        ],
        shows: ROLE_BY_API
          ? /^\+ .*ApiRole: \(create\)\nRole bemi is made through Neon's API, .*\.$/
          : /^\+ .*ReplicationRole: \(create\)\nRole bemi is made,.*\n.*ReadAccess: .*\nRole bemi gets SELECT on \d+ tables/,
      },
    ],
    leaves: /^(comment )?role bemi$|^event trigger|payouts/,
  },
  {
    title: "a publication for all tables",
    rows: [
      {
        what: "The publication was made again, for all tables",
        does: "DROP PUBLICATION bemi; CREATE PUBLICATION bemi FOR ALL TABLES",
        sights: [{ kind: "Publication", drift: "publicationOwner", says: /made again/ }],
        shows:
          /publicationOwner: "made again by somebody else, for all tables"\nerror: .*exists already: it was made again.*Set adopt: true .* or run DROP PUBLICATION "bemi"/,
      },
    ],
    fails: true,
    then: { adopt: true },
    // It publishes no generated columns, and one table that is FULL has such a column.
    twice: has("generated columns in publications"),
    leaves: /^(comment )?(publication|role) bemi$|^event trigger|payouts/,
  },
  {
    title: "logical replication off, a dropped publication",
    rows: [
      {
        what: "Logical replication was turned off",
        does: (stack) => stack.control("logical-replication-off"),
        sights: [{ kind: "LogicalReplication", drift: "logicalReplicationOff", says: /is off/ }],
        shows:
          /logicalReplicationOff: "project .*"\nLogical replication .* is off: turning it on restarts all computes/,
      },
      {
        what: "The publication was dropped",
        does: "DROP PUBLICATION bemi",
        sights: [{ kind: "Publication", says: /publication bemi/ }],
        shows: /^\+ .*Publication: \(create\)\nThe publication bemi is created\.\n\d+ tables are added/,
      },
    ],
    leaves: /^(comment )?(publication|role) bemi$|^event trigger|payouts/,
  },
  {
    title: "renames, a table made again",
    rows: [
      {
        what: "The branch was renamed",
        does: (stack) => stack.api("PATCH", branchOf(stack), { branch: { name: "production" } }),
        sights: [{ says: /^Branch "main"/ }, { kind: "Publication", drift: "branchRenamed" }],
        shows:
          /^Branch "main" .* Set branch to "production"\.\n.*\n {2}- branchRenamed: ".*main.* is .*production.* now"$/,
      },
      {
        what: "The database was renamed",
        does: (stack) => stack.rename("shop"),
        sights: [{ says: /^Database "neondb"/ }, { kind: "Publication", drift: "databaseRenamed" }],
        shows:
          /^Database "neondb" .* Set database to "shop"\.\n.*\n {2}- databaseRenamed: ".*neondb.* is .*shop.* now"$/,
      },
      {
        what: "A table was dropped and made again, unseen by the event triggers",
        does: unseen(`DROP TABLE public.sessions;
          CREATE TABLE public.sessions (id int PRIMARY KEY, token text)`),
        sights: [
          { kind: "ReplicaIdentity", drift: "identityNotFull", says: /FULL/ },
          { kind: "Publication", drift: "notPublished", says: /added/ },
        ],
        shows: /identityNotFull: "public\.sessions"\n[^]*notPublished: "public\.sessions"\n1 table is added/,
      },
    ],
    then: { branch: "production", database: "shop" },
    leaves: /^(comment )?(publication|role|schema) _?bemi$|^event trigger|payouts|sessions|database/,
  },
  {
    title: "another owner of the database",
    rows: [
      {
        what: "The database got another owner",
        does: (stack) => stack.sql(`ALTER DATABASE shop OWNER TO next_owner; ${DAMAGE}`),
        sights: [{ says: /^Database "shop" belongs/ }],
        shows:
          /^Database "shop" belongs to role next_owner now\. .* belongs to neondb_owner, so neondb_owner goes on with it\.$/,
      },
    ],
    leaves: /^(comment )?(publication|role|schema) _?bemi$|^event trigger|payouts|sessions|database/,
  },
];
