/**
 * The one schema that this module makes in a database. Its comment is the record of what the module has to give back; the
 * functions of the event triggers are in it. All trails of the database share it.
 */
export const MODULE_SCHEMA = "_bemi";
