/**
 * Everything that can have drifted since the last run, by the name under which a preview shows it, with its meaning. A
 * kind's `read` gives each drift a text; the next up mends it. The names must not be those of inputs or outputs.
 */
export const DRIFT = {
  logicalReplicationOff: "The project's logical replication was turned off.",
  missingEntries: "Entries of this resource that are no longer in the project's IP Allow list.",
  roleAttributesLost: "Attributes that the role needs and no longer has.",
  roleNotReadOnly: "The role is no longer read-only by default.",
  roleMemberships: "Roles that the role has become a member of.",
  roleMayNotConnect: "The role may no longer connect to the database.",
  rightsLeftOver: "Rights on the role that an interrupted destroy left to the database's owner.",
  passwordChanged: "The role does not accept the password in the stack's state.",
  branchRenamed: "The branch has another name now.",
  databaseRenamed: "The database has another name now.",
  computeReplaced: "The branch has another compute, so the host that clients connect to is another one.",
  databaseGone: "The database that the role was made for no longer exists.",
  missingPrivileges: "Privileges that the role was given and no longer has.",
  identityNotFull: "Tables whose replica identity is not FULL.",
  identityNotRestored: "Tables that left the selection, or are to keep their key, and are still FULL.",
  writesRefused: "Tables on which UPDATE and DELETE fail at the moment.",
  recordMissing:
    "The record of the tables' previous replica identities, or the view that guards it, is gone.",
  eventTriggersMissing: "The event triggers for new tables are gone or disabled.",
  eventTriggersLeft: "The event triggers for new tables are still in the database.",
  notPublished: "Tables that are selected and not in the publication.",
  notTracked: "Tables that are in the publication and not selected.",
  publishedInPart: "Tables of which the publication has only some columns or rows.",
  publicationOptions: "Options of the publication that differ.",
  publishedSchemas: "Schemas that the publication publishes as a whole.",
  publicationForm: "The publication is one for all tables, and is to list them.",
  publicationOwner: "The publication was made again by somebody else.",
  unfinishedChange: "Publications that an interrupted change left behind.",
  unfinished: "What the last run did not finish.",
  notReady: "What keeps the trail from being ready.",
} as const;

export type DriftName = keyof typeof DRIFT;

/** Whether a name of the state is that of a drift. */
export function isDrift(name: string): name is DriftName {
  return name in DRIFT;
}
