import { randomInt } from "node:crypto";
import type { Run } from "../../contract/kind";
import { secret } from "../../contract/secrets";
import type { RoleFacts } from "../../contract/catalog";
import type { Session } from "../../contract/session";
import { transaction } from "../session/sessions";
import { quoteLiteral } from "../sql/quote";

/** What is to be done to the role, in one transaction. */
export interface RoleChange {
  readonly name: string;
  /** Makes the role with {@link ATTRIBUTES}; otherwise it is altered. */
  readonly create: boolean;
  /** Options of ALTER ROLE. Only what differs: PostgreSQL 16 refuses to name what one may not change. */
  readonly attributes: readonly string[];
  /** Sets `default_transaction_read_only`. */
  readonly readOnly: boolean;
  /** Grants CONNECT to this database, where nobody has it by default. */
  readonly connect: boolean;
  /** Roles whose membership it loses. */
  readonly leave: readonly string[];
  /** The ownership mark, where it is to be written. */
  readonly mark?: string;
  /** Secret. */
  readonly password?: string;
}

/** The attributes of the role, and the option of ALTER ROLE that restores each. */
const ATTRIBUTES = {
  canLogin: [true, "LOGIN"],
  replication: [true, "REPLICATION"],
  superuser: [false, "NOSUPERUSER"],
  createDb: [false, "NOCREATEDB"],
  createRole: [false, "NOCREATEROLE"],
  bypassRls: [false, "NOBYPASSRLS"],
} as const satisfies Partial<Record<keyof RoleFacts, readonly [boolean, string]>>;

/** A role that was there before only has to be able to do its work. */
const NEEDED = ["canLogin", "replication"] as const;

export const READ_ONLY = "default_transaction_read_only=on";

/** The ALTER ROLE options that bring the role's attributes back. */
export function attributesToRestore(role: RoleFacts, created: boolean): string[] {
  const keys = created ? (Object.keys(ATTRIBUTES) as (keyof typeof ATTRIBUTES)[]) : NEEDED;
  return keys.filter((key) => role[key] !== ATTRIBUTES[key][0]).map((key) => ATTRIBUTES[key][1]);
}

/**
 * Inside {@link BLOCK}, right after the statement with the password: where nested statements are tracked too,
 * pg_stat_statements has recorded it in clear, and only a superuser may switch that off. So its entry is removed. Where
 * that cannot be (the extension is not in this database, or we may not), the block hands out how the entry begins.
 *
 * All arguments are given, so that the call can only mean the extension's own function, not an overload of somebody
 * else's in the same schema. The password is not among them: it would be one more parameter to log.
 */
const FORGET = `
    IF current_setting('pg_stat_statements.track', true) = 'all' THEN
      DECLARE
        beginning CONSTANT text := format('ALTER ROLE %I PASSWORD ', name);
      BEGIN
        EXECUTE (
          SELECT format(
                   'SELECT %1$s.pg_stat_statements_reset(userid, dbid, queryid%2$s) FROM %1$s.pg_stat_statements
                     WHERE userid = (SELECT oid FROM pg_roles WHERE rolname = current_user)
                       AND starts_with(query, $1)',
                   p.pronamespace::regnamespace, repeat(', false', p.pronargs - 3))
            FROM pg_extension e
            JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
            JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
           WHERE e.extname = 'pg_stat_statements' AND p.proname = 'pg_stat_statements_reset' AND p.pronargs >= 3
        ) USING beginning;
      EXCEPTION WHEN others THEN
        PERFORM set_config('pulumi_neon_bemi.recorded', beginning, true);
      END;
    END IF;`;

/**
 * The block is constant: what it works on, the password included, comes in as a bound parameter, so that neither the
 * server's log nor pg_stat_statements shows it. An error inside would carry the inner statement, password and all, in
 * its context; the handler raises it anew without.
 *
 * What no handler can catch (the end of the connection, a line of log_lock_waits) has the same context. So the
 * statement with the password comes when the role's row is locked already, and waits for nobody. Nor may it warn, as 18
 * does of MD5. A server that is shut down within the milliseconds it takes to hash still logs it; the password is then
 * rolled back, and opens nothing.
 */
const BLOCK = `
DO $block$
DECLARE
  change CONSTANT jsonb := current_setting('pulumi_neon_bemi.role')::jsonb;
  name CONSTANT text := change ->> 'name';
  granted record;
  reason text; detail text; hint text;
BEGIN
  IF (change ->> 'create')::boolean THEN
    EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE REPLICATION', name);
  ELSIF jsonb_array_length(change -> 'attributes') > 0 THEN
    EXECUTE format('ALTER ROLE %I ', name)
      || (SELECT string_agg(option, ' ') FROM jsonb_array_elements_text(change -> 'attributes') option);
  END IF;
  IF change ? 'password' THEN
    PERFORM set_config('password_encryption', 'scram-sha-256', true);
    EXECUTE format('ALTER ROLE %I LOGIN', name);
    EXECUTE format('ALTER ROLE %I PASSWORD %L', name, change ->> 'password');${FORGET}
  END IF;
  IF (change ->> 'readOnly')::boolean THEN
    EXECUTE format('ALTER ROLE %I SET default_transaction_read_only = on', name);
  END IF;
  FOR granted IN
    SELECT DISTINCT g.rolname AS role, pg_get_userbyid(m.grantor) AS grantor
      FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member
     WHERE r.rolname = name AND g.rolname IN (SELECT jsonb_array_elements_text(change -> 'leave'))
  LOOP
    EXECUTE format('REVOKE %I FROM %I GRANTED BY %I', granted.role, name, granted.grantor);
  END LOOP;
  IF (change ->> 'connect')::boolean AND NOT has_database_privilege(name, current_database(), 'CONNECT') THEN
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
  END IF;
  IF change ? 'mark' THEN
    EXECUTE format('COMMENT ON ROLE %I IS %L', name, change ->> 'mark');
  END IF;
EXCEPTION WHEN others OR query_canceled THEN
  GET STACKED DIAGNOSTICS reason = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RAISE EXCEPTION USING MESSAGE = reason, DETAIL = detail, HINT = hint, ERRCODE = SQLSTATE;
END
$block$`;

/** Makes or alters the role in a transaction of its own: Neon forwards it to its control plane at the commit. */
export async function changeRole(session: Session, change: RoleChange, run: Pick<Run, "log">): Promise<void> {
  const recorded = await transaction(session, async () => {
    await session.read("SELECT pg_catalog.set_config('pulumi_neon_bemi.role', $1, true)", [
      JSON.stringify(change),
    ]);
    await session.write(BLOCK);
    const [row] = await session.read<{ beginning: string | null }>(
      "SELECT pg_catalog.current_setting('pulumi_neon_bemi.recorded', true) AS beginning",
    );
    return row?.beginning;
  });
  if (recorded)
    run.log(
      `The password of role ${change.name} is in pg_stat_statements, in clear: its "track" is "all", and it could not be made to forget from here. As a role that may, in a database with the extension, run: SELECT pg_stat_statements_reset(userid, dbid, queryid) FROM pg_stat_statements WHERE starts_with(query, ${quoteLiteral(recorded)})`,
    );
}

const CLASSES = ["abcdefghijkmnopqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZ", "23456789", "-_"] as const;
const LENGTH = 32;

/**
 * A new password: about 180 bits, characters of all four classes (Neon asks for 60 bits and mixed classes), none of
 * which has to be escaped in a URI.
 */
export function newPassword(): string {
  const all = CLASSES.join("");
  for (;;) {
    const password = Array.from({ length: LENGTH }, () => all.charAt(randomInt(all.length))).join("");
    const mixed = CLASSES.every((letters) => Array.from(password).some((letter) => letters.includes(letter)));
    if (mixed) return secret(password);
  }
}
