import { withClient, type DatabaseAccess } from "./postgres";

/**
 * Makes schema public hold exactly so many tables. Each has an int, a text and a timestamptz column and one row, and every
 * other one has a primary key.
 */
export async function provideTables(
  { ownerUri, superuserUri }: DatabaseAccess,
  count: number,
): Promise<void> {
  await withClient(ownerUri, async (client) => {
    await client.query(`DO $do$
      DECLARE name text;
      BEGIN
        FOR i IN 1 .. ${count} LOOP
          name := 't' || lpad(i::text, 5, '0');
          CONTINUE WHEN to_regclass('public.' || name) IS NOT NULL;
          EXECUTE format('CREATE TABLE public.%I (id int%s, note text, at timestamptz)', name,
            CASE WHEN i % 2 = 0 THEN ' PRIMARY KEY' ELSE '' END);
          EXECUTE format('INSERT INTO public.%I VALUES (1, ''one'', now())', name);
          -- Every new table stays locked until the transaction ends.
          IF i % 100 = 0 THEN COMMIT; END IF;
        END LOOP;
      END $do$`);
    await client.query(`DO $do$
      DECLARE name text;
      BEGIN
        FOR name IN SELECT relname FROM pg_class
                     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname > 't' || lpad(${count}::text, 5, '0')
        LOOP
          EXECUTE format('DROP TABLE public.%I', name);
          COMMIT;
        END LOOP;
      END $do$`);
  });
  await settle(superuserUri);
}

/**
 * Undoes whatever the provider's or the guide's statements have changed, and leaves the server no work for the
 * background.
 */
export async function resetTables({ superuserUri }: DatabaseAccess): Promise<void> {
  await withClient(superuserUri, async (client) => {
    await client.query("DROP PUBLICATION IF EXISTS bemi");
    await client.query("DROP EVENT TRIGGER IF EXISTS _bemi_track");
    await client.query("DROP SCHEMA IF EXISTS _bemi CASCADE");
    await client.query("DROP PROCEDURE IF EXISTS _bemi_set_replica_identity");
    await client.query(`DO $do$
      DECLARE relid regclass;
      BEGIN
        FOR relid IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relreplident <> 'd'
        LOOP
          EXECUTE format('ALTER TABLE %s REPLICA IDENTITY DEFAULT', relid);
          COMMIT;
        END LOOP;
      END $do$`);
    const { rowCount } = await client.query("SELECT FROM pg_roles WHERE rolname = 'bemi'");
    if (rowCount !== 0) {
      // Before DROP OWNED, because that locks every table on which it revokes a right.
      await client.query("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM bemi");
      await client.query("DROP OWNED BY bemi");
      await client.query("DROP ROLE bemi");
    }
  });
  await settle(superuserUri);
}

/** Removes dead rows of the catalogs. They would slow down every later read, so that later rounds take longer. */
async function settle(superuserUri: string): Promise<void> {
  await withClient(superuserUri, async (client) => {
    for (const catalog of ["pg_class", "pg_attribute", "pg_index", "pg_depend", "pg_publication_rel"])
      await client.query(`VACUUM ANALYZE pg_catalog.${catalog}`);
    await client.query("CHECKPOINT");
  });
}
