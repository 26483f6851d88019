import { randomInt } from "node:crypto";
import type { Run } from "../../contract/kind";
import { secret } from "../../contract/secrets";
import type { RoleFacts } from "../../contract/catalog";
import type { Session } from "../../contract/session";
import { transaction } from "../session/sessions";
import { doSql, unlessOvertaken } from "../sql/block";
import { withControlPlane } from "../sql/controlPlane";
import { explainLocksOn } from "../sql/holders";
import { quoteLiteral } from "../sql/quote";

/** What changes about a role besides its password. */
export interface RoleSettings {
  /** Options of ALTER ROLE. Only those that differ: PostgreSQL 16 refuses options that our role may not change. */
  readonly attributes: readonly string[];
  /** Sets `default_transaction_read_only`. */
  readonly readOnly: boolean;
  /** Grants CONNECT to this database, if the role lacks it. */
  readonly connect: boolean;
  /** Roles whose membership it loses. */
  readonly leave: readonly string[];
  /** Text of the ownership mark, if it is to be written. */
  readonly mark?: string;
}

/** What is done to a role in one transaction. */
export interface RoleChange extends RoleSettings {
  readonly name: string;
  /** Makes the role with {@link ATTRIBUTES}; otherwise it is altered. */
  readonly create: boolean;
  /** Secret. */
  readonly password?: string;
}

/** No change besides, perhaps, the password. */
export const NO_SETTINGS: RoleSettings = { attributes: [], leave: [], readOnly: false, connect: false };

/** The attributes of the role, and the option of ALTER ROLE that restores each. */
export const ATTRIBUTES = {
  canLogin: [true, "LOGIN"],
  replication: [true, "REPLICATION"],
  superuser: [false, "NOSUPERUSER"],
  createDb: [false, "NOCREATEDB"],
  createRole: [false, "NOCREATEROLE"],
  bypassRls: [false, "NOBYPASSRLS"],
} as const satisfies Partial<Record<keyof RoleFacts, readonly [boolean, string]>>;

/** Attributes that an adopted role needs for its work. All others stay as they are. */
const NEEDED = ["canLogin", "replication"] as const;

/** The entry of `rolconfig` by which a role is read-only by default. */
export const READ_ONLY = "default_transaction_read_only=on";

/** The options of ALTER ROLE that restore the role's attributes: of a created role all, of an adopted one the needed. */
export function attributesToRestore(role: RoleFacts, created: boolean): string[] {
  const keys = created ? (Object.keys(ATTRIBUTES) as (keyof typeof ATTRIBUTES)[]) : NEEDED;
  return keys.filter((key) => role[key] !== ATTRIBUTES[key][0]).map((key) => ATTRIBUTES[key][1]);
}

/**
 * Inside {@link BLOCK}, right after the statement with the password. If pg_stat_statements tracks nested statements, it
 * has recorded that one in clear, and only a superuser may switch the tracking off. So its entry is removed. If it
 * cannot be removed (the extension is not in this database, or our role may not), the block returns how the entry
 * begins.
 *
 * All arguments are given, so that the call can only mean the extension's own function, and not an overload that
 * somebody has put into the same schema. The password is not among them: it would be one more parameter to log.
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
 * The text of the block is constant. The change, with the password, comes in as a bound parameter, so that neither the
 * server's log nor pg_stat_statements shows it. An error inside the block would carry the inner statement, password and
 * all, in its context; so the handler raises the error again without a context.
 *
 * No handler can catch the end of the connection or a line of log_lock_waits, which have the same context. So the
 * statement before the one with the password locks the role's row, and the one with the password never waits. It must
 * not warn either, as PostgreSQL 18 does about MD5. A server that is shut down in the milliseconds of the hashing still
 * logs the password; the change is then rolled back, and the password is of no use.
 */
const BLOCK = doSql(`
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
END`);

/**
 * Makes or alters the role in a transaction of its own, as Neon forwards the change to its control plane at the commit.
 * Logs what to do if pg_stat_statements keeps the password.
 *
 * @returns the role's oid
 * @throws SqlError that names who holds the role, if it is locked
 * @throws UserError if Neon's control plane fails at it twice, or refuses
 */
export async function changeRole(
  session: Session,
  change: RoleChange,
  run: Pick<Run, "log" | "clock" | "checkpoint">,
): Promise<number> {
  const once = () =>
    unlessOvertaken(() =>
      transaction(session, async () => {
        await session.read("SELECT pg_catalog.set_config('pulumi_neon_bemi.role', $1, true)", [
          JSON.stringify(change),
        ]);
        await session.write(BLOCK);
        const [row] = await session.read<{ oid: number; beginning: string | null }>(
          `SELECT r.oid::int8::float8 AS oid, pg_catalog.current_setting('pulumi_neon_bemi.recorded', true) AS beginning
           FROM pg_catalog.pg_roles r WHERE r.rolname = $1`,
          [change.name],
        );
        return row;
      }),
    );
  const what = `${change.create ? "creating" : "changing"} role "${change.name}"`;
  const done = await explainLocksOn(session, [change.name], () => withControlPlane(run, what, once));
  if (done?.beginning)
    run.log(
      `The password of role ${change.name} is in pg_stat_statements, in clear: its "track" is "all", and this provider could not remove the entry. In a database with the extension, as a role that may reset its statistics, run: SELECT pg_stat_statements_reset(userid, dbid, queryid) FROM pg_stat_statements WHERE starts_with(query, ${quoteLiteral(done.beginning)})`,
    );
  return done?.oid ?? 0;
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
