import { DatabaseError, type Client } from "pg";
import { withClient, type DatabaseAccess } from "./postgres";
import { time } from "./time";

/** How long the statements of Neon's guide for Bemi take. */
export interface GuideTimes {
  /** All statements of the guide with one login, in milliseconds. */
  readonly up: number;
  /** The one statement, in milliseconds. */
  readonly createPublication: number;
  /** All statements that take the guide's work back, with one login, in milliseconds. */
  readonly destroy: number;
  /** The one statement, in milliseconds. */
  readonly dropPublication: number;
}

/** The guide's procedure that sets the replica identities. */
const PROCEDURE = `
  CREATE OR REPLACE PROCEDURE _bemi_set_replica_identity() AS $$ DECLARE current_tablename TEXT;
  BEGIN
    FOR current_tablename IN SELECT tablename FROM pg_tables LEFT JOIN pg_class ON relname = tablename WHERE schemaname = 'public' AND relreplident != 'f' LOOP
      EXECUTE format('ALTER TABLE %I REPLICA IDENTITY FULL', current_tablename);
    END LOOP;
  END $$ LANGUAGE plpgsql`;

/** The statements with which Neon's guide makes role and privileges. */
const ROLE = `
  CREATE ROLE bemi WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE REPLICATION PASSWORD 'a-Password-by-hand-1';
  GRANT SELECT ON ALL TABLES IN SCHEMA public TO bemi;
  ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO bemi`;

/** Everything that Neon's guide has its readers run, for three tables. */
export const BY_NEONS_GUIDE = `${ROLE};
  CREATE PUBLICATION bemi FOR TABLE customers, orders, stock_imports;
  ${PROCEDURE};
  CALL _bemi_set_replica_identity()`;

/** The same as Bemi's docs for other hosts have it: all tables, and an event trigger for new ones. */
export const BY_BEMIS_DOCS = `${ROLE};
  CREATE PUBLICATION bemi FOR ALL TABLES;
  ${PROCEDURE};
  CALL _bemi_set_replica_identity();
  CREATE FUNCTION _bemi_set_replica_identity_func() RETURNS event_trigger LANGUAGE plpgsql
    AS $$ BEGIN CALL _bemi_set_replica_identity(); END $$;
  CREATE EVENT TRIGGER _bemi_set_replica_identity_trigger ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
    EXECUTE FUNCTION _bemi_set_replica_identity_func()`;

/** Takes back what either has made, except the replica identities. */
export const UNDO_BY_HAND = `
  DROP EVENT TRIGGER IF EXISTS _bemi_set_replica_identity_trigger;
  DROP FUNCTION IF EXISTS _bemi_set_replica_identity_func();
  DROP PROCEDURE _bemi_set_replica_identity;
  DROP PUBLICATION bemi;
  ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM bemi;
  REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM bemi;
  DROP ROLE bemi`;

const OUT_OF_MEMORY = "53200";
const CALL = "CALL _bemi_set_replica_identity()";

/**
 * Runs statements of the guide. The result comes as a list, which is empty when the server has no memory for so many
 * locks at once, as with 20,000 tables.
 */
export async function attempt<Result>(work: () => Promise<Result>): Promise<Result[]> {
  try {
    return [await work()];
  } catch (error) {
    if (error instanceof DatabaseError && error.code === OUT_OF_MEMORY) return [];
    throw error;
  }
}

/** Creates the guide's procedure, passes `work` the function that calls it, and drops it again. */
export async function withProcedure(
  db: DatabaseAccess,
  work: (client: Client, call: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  await withClient(db.ownerUri, async (client) => {
    await client.query(PROCEDURE);
    try {
      await work(client, () => client.query(CALL));
    } finally {
      await client.query("DROP PROCEDURE _bemi_set_replica_identity");
    }
  });
}

/**
 * Runs the guide's statements in one session, in the guide's order, and then takes their work back in another. This is
 * the least that the work costs.
 */
export async function guideLifecycle(db: DatabaseAccess): Promise<GuideTimes> {
  const start = performance.now();
  const createPublication = await withClient(db.ownerUri, async (client) => {
    await client.query(
      "CREATE ROLE bemi WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE REPLICATION PASSWORD 'a-password-for-timing'",
    );
    await client.query("GRANT SELECT ON ALL TABLES IN SCHEMA public TO bemi");
    await client.query("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO bemi");
    const { rows } = await client.query<{ names: string }>(
      "SELECT string_agg(format('public.%I', tablename), ', ') AS names FROM pg_tables WHERE schemaname = 'public'",
    );
    const created = await time(() =>
      client.query(`CREATE PUBLICATION bemi FOR TABLE ${rows[0]?.names ?? ""}`),
    );
    await client.query(PROCEDURE);
    await client.query(CALL);
    return created;
  });
  const up = performance.now() - start;
  const destroyStart = performance.now();
  const dropPublication = await withClient(db.ownerUri, async (client) => {
    const dropped = await time(() => client.query("DROP PUBLICATION bemi"));
    await client.query("DROP PROCEDURE _bemi_set_replica_identity");
    await client.query(`DO $do$
      DECLARE name text;
      BEGIN
        FOR name IN SELECT c.relname FROM pg_class c
                     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relreplident = 'f' LOOP
          EXECUTE format('ALTER TABLE public.%I REPLICA IDENTITY DEFAULT', name);
        END LOOP;
      END $do$`);
    await client.query("ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM bemi");
    await client.query("REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM bemi");
    await client.query("DROP ROLE bemi");
    return dropped;
  });
  return { up, createPublication, destroy: performance.now() - destroyStart, dropPublication };
}
