import { LOCK_POLICY } from "../sql/lockPolicy";
import { IN_BLOCK_SQL, PLAIN_NAMES } from "../sql/block";
import type { Catalog } from "../../contract/catalog";
import { MODULE_SCHEMA } from "../catalog/moduleSchema";
import { LOCK_VIEW_SQL } from "../record/lines";
import { mayKeepKeys } from "../selection/identityChoice";
import type { Selection } from "../selection/selection";
import { judgeSql } from "../sql/judge";
import { FUNCTION_PREFIX, ownNames } from "../ownership/ownNames";
import { quoteIdentifier, quoteLiteral } from "../sql/quote";
import { joinSql } from "../sql/joining";
import { asksForKeySql, GETS_KEY_SQL, HAS_KEY_SQL, NAMES_ROWS_SQL } from "./askedIdentity";
import { isSelectedSql } from "./isSelected";
import { leftSql, noteSql } from "./note";
import { FURTHER_SQL, NAMED_SQL, tablesSql } from "./tablesOfCommand";

/*
 * The function of the event trigger. It runs with the rights of the module's role, because only the owner of a
 * publication may add a table to it. Every role that runs DDL causes it to run, so it trusts nothing that such a role can
 * set: no setting, no comment on an object of another owner. It calls nothing outside of pg_catalog. What the role has set in
 * its session reaches neither what the function means nor whether it runs.
 *
 * It does one thing to a table at a time. An ALTER TABLE of its own fires the event trigger again, and that run does what
 * comes next: a new table first becomes FULL, and then joins the publication.
 *
 * A command of the application waits for it, so it is quick where nothing is to do: two small queries of catalogs, and
 * expressions without a query. A handler for errors costs a subtransaction, whose end takes longer the more locks the
 * transaction holds. So handlers stand only around what changes something.
 */

/**
 * The statements that make the function of the event trigger.
 *
 * - A selected table becomes FULL, unless virtual generated columns rule that out, or it is asked to keep its key and has
 *   one. Its identity until then is recorded.
 * - A table that is FULL, or keeps its key, joins the publication.
 * - A table that is asked to keep its key is FULL as long as it has none: before its migration adds one, and after
 *   somebody has dropped it. So its UPDATEs pass at every moment.
 * - A published table that gets a virtual generated column becomes DEFAULT, because its UPDATEs would be refused. It leaves
 *   the publication if it has no primary key either.
 * - A listed table that is not selected any more leaves the publication: it may have got the name of an excluded one. A
 *   partition whose partitioned table is listed leaves the list too, because it is published through that one.
 *
 * What a role has set in its session reaches neither the function's meaning nor whether it runs.
 *
 * It leaves a table alone whose owner's rights the module's role does not have. It never raises an error: what fails
 * becomes a warning, and the next up does it.
 */
export function trackFunction(catalog: Catalog, selection: Selection, publication: string): string[] {
  const call = `${quoteIdentifier(MODULE_SCHEMA)}.${quoteIdentifier(ownNames(publication).trackFunction)}()`;
  return [
    `CREATE OR REPLACE FUNCTION ${call} RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
       SET search_path = pg_catalog, pg_temp SET lock_timeout = '${LOCK_POLICY.attempt}'
       SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on
       SET plpgsql.extra_errors = '' SET plpgsql.extra_warnings = '' SET plan_cache_mode = force_generic_plan
       AS ${quoteLiteral(`${PLAIN_NAMES}${body(catalog, selection, publication)}`)}`,
    `REVOKE ALL ON FUNCTION ${call} FROM PUBLIC`,
  ];
}

function body(catalog: Catalog, selection: Selection, publication: string): string {
  const warn = (what: string): string =>
    `RAISE WARNING '%: ${what} of %.%: % (%)', ${quoteLiteral(publication)}, found.nspname, found.relname, SQLERRM, SQLSTATE`;
  const keeping = keepingKeys(selection);
  return `
DECLARE
  touched oid[];
  created oid[];
  extends boolean;
  found record;
  -- The oids of the tables above the table; those of them that are partitioned.
  above oid[];
  roots oid[];
  selected boolean;
  reachable boolean;
  ready boolean;
  unfit boolean;
  listed boolean;
  through boolean;
  clause text;
  is_new boolean;
  -- Whether it is asked to keep its key as identity; whether it does; whether it is FULL and gets it now.
  asks_for_key boolean := false;
  keeps_key boolean := false;
  gets_key boolean := false;
  -- The call stack: whether the function of this or of another trail has set FULL just now.
  context text;
BEGIN
  ${SKIP_OWN_CHANGES}
  ${NAMED_SQL}
  IF extends THEN
    BEGIN
      ${FURTHER_SQL}
    EXCEPTION WHEN others THEN
      RAISE WARNING '%: new tables: % (%)', ${quoteLiteral(publication)}, SQLERRM, SQLSTATE;
    END;
  END IF;
  FOR found IN
    ${tablesSql(publication)}
  LOOP
    above := CASE WHEN cardinality(found.parents) > 0 THEN ${ABOVE} ELSE '{}' END;
    roots := CASE WHEN found.relispartition THEN above ELSE '{}' END;
    selected := ${isSelectedSql(selection)};
    reachable := selected AND pg_has_role(found.relowner, 'USAGE');
    ${keeping?.decide ?? ""}
    clause := CASE WHEN NOT reachable OR keeps_key THEN NULL
                   ${keeping?.whenFull ?? ""}
                   WHEN found.virtual THEN CASE WHEN found.relreplident = 'f' AND (found.everything OR ${IS_LISTED}) THEN 'DEFAULT' END
                   WHEN found.relreplident <> 'f' THEN 'FULL' END;
    IF clause IS NOT NULL THEN
      CONTINUE WHEN NOT (found.oid = ANY (created)) AND NOT ${LOCKED_BY_COMMAND} OR ${IS_OF_EXTENSION};
      -- A table that the command has created has nothing to record.
      is_new := found.relreplident = 'd' AND found.oid = ANY (created);
      IF clause = 'FULL' AND NOT is_new THEN
        BEGIN
          ${HOLD_RECORD};
          ${noteSql("found.oid", "found.relreplident")}
        EXCEPTION WHEN others THEN
          ${warn("record")};
        END;
      END IF;
      BEGIN
        IF to_regclass(${quoteLiteral(LOCK_VIEW_SQL)}) IS NOT NULL THEN ${HOLD_RECORD}; END IF;
        EXECUTE format('ALTER TABLE %I.%I REPLICA IDENTITY %s', found.nspname, found.relname, clause);
        -- A new table by itself has nothing that FULL could be at odds with.
        IF found.relkind = 'r' AND (found.generated OR cardinality(above) > 0 OR NOT is_new) THEN
          ${judgeSql("format('%I.%I', found.nspname, found.relname)", "found.oid")}
        END IF;
      EXCEPTION WHEN others THEN
        ${warn("replica identity")};
      END;
      CONTINUE;
    END IF;
    -- A partitioned table without a key is published by its partitions, see publication/members.ts.
    ready := reachable AND (keeps_key OR found.relreplident = 'f' AND NOT found.virtual) AND (found.relkind = 'r' OR ${HAS_KEY_SQL});
    CONTINUE WHEN CASE WHEN ready AND cardinality(roots) = 0 THEN found.lists <@ found.listed
                       ELSE NOT selected AND NOT found.lists && found.listed END;
    unfit := selected AND found.relreplident = 'd' AND found.virtual AND NOT ${HAS_KEY_SQL};
    -- While the publication changes its form there are two. The one that consumers read comes first.
    FOR n IN 1 .. cardinality(found.lists) LOOP
      listed := found.lists[n] = ANY (found.listed);
      through := cardinality(roots) > 0 AND EXISTS (
        SELECT FROM pg_publication_rel r WHERE r.prpubid = found.lists[n] AND r.prrelid = ANY (roots));
      CONTINUE WHEN CASE WHEN listed THEN selected AND NOT through AND NOT unfit
                         ELSE NOT ready OR through OR ${IS_OF_EXTENSION} END;
      BEGIN
        ${HOLD_RECORD};
        -- Another migration that has added a table holds the publication until it commits: once a transaction has waited
        -- for that, it does not wait again for each table.
        IF ${MAY_HAVE_WAITED} THEN
          IF ${HAS_WAITED} THEN PERFORM set_config('lock_timeout', '1ms', true); END IF;
        END IF;
        IF listed THEN
          EXECUTE format('ALTER PUBLICATION %I DROP TABLE ONLY %I.%I', found.list_names[n], found.nspname, found.relname);
          IF NOT selected AND found.relreplident = 'f' THEN
            BEGIN
              ${leftSql("found.oid", publication)}
            EXCEPTION WHEN others THEN
              ${warn("record")};
            END;
          END IF;
        ELSE
          GET DIAGNOSTICS context = PG_CONTEXT;
          IF found.relreplident <> 'd' AND NOT ${SET_JUST_NOW} THEN
            ${noteSql("found.oid", "found.relreplident")}
          END IF;
          ${joinSql(catalog.server.version, "found.lists[n]")}
          EXECUTE format('ALTER PUBLICATION %I ADD TABLE ONLY %I.%I', found.list_names[n], found.nspname, found.relname);
        END IF;
      EXCEPTION WHEN others THEN
        ${warn("publication")};
        IF SQLSTATE = '55P03' THEN
          BEGIN
            LOCK TABLE ${LOCK_VIEW_SQL} IN ROW SHARE MODE;
            PERFORM set_config('${WAITED}', 'yes', true);
          EXCEPTION WHEN others THEN
            NULL; -- A destroy holds it; then there is nothing to wait for much longer.
          END;
        END IF;
      END;
    END LOOP;
  END LOOP;
END`;
}

/** What is decided besides, where tables are asked to keep their key. It takes queries, so nobody else has them. */
function keepingKeys({
  identity,
}: Selection): { readonly decide: string; readonly whenFull: string } | undefined {
  if (!mayKeepKeys(identity)) return undefined;
  return {
    // Where another trail has set the table to FULL just now, it stays so: otherwise both would go on for ever.
    decide: `asks_for_key := reachable AND ${asksForKeySql(identity)};
    keeps_key := asks_for_key AND ${NAMES_ROWS_SQL};
    gets_key := false;
    IF asks_for_key AND found.relreplident = 'f' THEN
      GET DIAGNOSTICS context = PG_CONTEXT;
      gets_key := NOT ${SET_JUST_NOW} AND ${GETS_KEY_SQL};
    END IF;`,
    whenFull: "WHEN gets_key THEN 'DEFAULT'",
  };
}

/** Held until the transaction ends: by this, a destroy knows which transactions have made or altered tables. */
const HOLD_RECORD = `LOCK TABLE ${LOCK_VIEW_SQL} IN ACCESS SHARE MODE`;

/**
 * Returns at once where the module itself alters a table. It does so with thousands of tables in one block, records and
 * publishes them itself, and would spend most of the time here. Every role can make the setting that says so, hence the
 * look at who has logged in.
 */
const SKIP_OWN_CHANGES = `IF ${IN_BLOCK_SQL} AND session_user = current_user THEN RETURN; END IF;`;

/** The oids of the tables above the table, by partition or inheritance. */
const ABOVE = `ARRAY(
        WITH RECURSIVE up AS (
          SELECT p.relid FROM unnest(found.parents) p (relid)
          UNION
          SELECT p.relid FROM up u CROSS JOIN LATERAL (
            SELECT i.inhparent AS relid FROM pg_inherits i WHERE i.inhrelid = u.relid OFFSET 0) p)
        SELECT relid FROM up)`;

/** Whether a list has the table, or a partitioned table above it. */
const IS_LISTED = `(found.lists && found.listed OR cardinality(roots) > 0 AND EXISTS (
                     SELECT FROM pg_publication_rel r WHERE r.prpubid = ANY (found.lists) AND r.prrelid = ANY (roots)))`;

/** An extension manages its tables itself. */
const IS_OF_EXTENSION = `EXISTS (
        SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = found.oid AND e.deptype = 'e')`;

/**
 * Whether this transaction has locked the table exclusively already. ATTACH PARTITION, VALIDATE CONSTRAINT and others take
 * weaker locks: setting the identity would then wait for a stronger one, and keep everybody off the table until the
 * transaction ends. pg_locks has the locks of all sessions, so it is only read for a table whose identity has to change,
 * and not for one that the command has created: nobody else sees it.
 */
const LOCKED_BY_COMMAND = `EXISTS (
        SELECT FROM pg_locks l
         WHERE l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
           AND l.locktype = 'relation' AND l.relation = found.oid
           AND l.pid = pg_backend_pid() AND l.mode = 'AccessExclusiveLock' AND l.granted)`;

/**
 * Whether the command that fired the trigger is the ALTER TABLE of a function of this module: below the first line, which
 * is the function itself. A role can write the name into a statement of its own; what it had set to FULL itself then
 * becomes DEFAULT on destroy.
 */
const SET_JUST_NOW = `(strpos(regexp_replace(context, '^[^\\n]*', ''), ${quoteLiteral(`${MODULE_SCHEMA}.${FUNCTION_PREFIX}`)}) > 0)`;

/** The setting that says that the transaction may have waited for a publication. */
const WAITED = "pulumi_neon_bemi.waited";

/**
 * Whether it is worth a look at pg_locks, which takes longer the more locks there are. Every role can make the setting;
 * with it, the look decides.
 */
const MAY_HAVE_WAITED = `coalesce(current_setting('${WAITED}', true), '') <> ''`;

/**
 * Whether this transaction has waited for a publication in vain. It then holds a lock that nobody but the owner of the
 * schema can take.
 */
const HAS_WAITED = `EXISTS (SELECT FROM pg_locks l
                        WHERE l.locktype = 'relation' AND l.relation = ${quoteLiteral(LOCK_VIEW_SQL)}::regclass
                          AND l.pid = pg_backend_pid() AND l.mode = 'RowShareLock')`;
