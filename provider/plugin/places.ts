import { UserError } from "../contract/errors";
import type { Run } from "../contract/kind";
import type { NeonApi } from "../contract/neonApi";
import type { Session } from "../contract/session";
import type { RecordedTarget, ResolvedTarget, Target } from "../contract/target";
import { DatabaseNotFound, resolveTarget, TargetGone } from "../neon";
import type { Sessions } from "../postgres";

/** Looks up what a target means, also where its names have changed since the state was written. */
export class Places {
  readonly #neon: () => NeonApi;
  readonly #sessions: Sessions;
  readonly #log: (message: string) => void;

  constructor(neon: () => NeonApi, sessions: Sessions, log: (message: string) => void) {
    this.#neon = neon;
    this.#sessions = sessions;
    this.#log = log;
  }

  /**
   * Resolves a target. A database that has another name now is found by its recorded oid, used under that name, and
   * a line says so. That costs a login to another database of the branch.
   *
   * @throws TargetGone when the recorded branch is gone, or no database of the branch has the recorded oid
   */
  readonly resolve: Run["resolve"] = async (target, recorded) => {
    try {
      return await this.#lookUp(target, recorded);
    } catch (error) {
      if (!(error instanceof DatabaseNotFound)) throw error;
      const name = await this.#nameNow(target, recorded, error);
      this.#log(
        `Database "${target.database}" of project ${target.projectId} is called "${name}" now, and is used under that name. Set database to "${name}".`,
      );
      return this.#lookUp({ ...target, database: name }, recorded);
    }
  };

  #lookUp(target: Target, recorded: Partial<RecordedTarget> | undefined): Promise<ResolvedTarget> {
    return resolveTarget(this.#neon(), target, recorded, this.#log);
  }

  async #nameNow(
    { projectId, branch, database }: Target,
    recorded: Partial<RecordedTarget> | undefined,
    missing: DatabaseNotFound,
  ): Promise<string> {
    const { branchId, databaseOid: oid, owner } = recorded ?? {};
    if (branchId === undefined) throw missing;
    // A database that Neon does not list does not exist, under whatever name.
    if (missing.databases.length === 0) throw gone(database);
    if (oid === undefined)
      throw new UserError(
        `${missing.message} The state does not say which database that was. If it was renamed, set database to its new name; if it was dropped, remove its resources from the state: pulumi state delete.`,
      );
    // The owner of the recorded database can log in to its other databases.
    const others = [...missing.databases].sort(
      (a, b) => Number(b.owner === owner) - Number(a.owner === owner),
    );
    let failure: unknown;
    for (const other of others) {
      try {
        const there = await this.#lookUp({ projectId, branch, database: other.name }, recorded);
        const name = await this.#sessions.use(there, (session) => nameOf(session, oid));
        if (name === undefined) throw gone(database);
        return name;
      } catch (error) {
        if (error instanceof TargetGone) throw error;
        failure = error;
      }
    }
    throw failure;
  }
}

/**
 * Makes sure that a session is in the database that the state recorded. A restored branch keeps the oids of its
 * databases.
 *
 * @throws TargetGone when no database has the recorded oid; UserError when the recorded one has another name now
 */
export async function assertRecorded(
  session: Session,
  { databaseOid: oid }: Partial<RecordedTarget>,
): Promise<void> {
  const { database, projectId } = session.target;
  if (oid === undefined || database.oid === undefined || oid === database.oid) return;
  const name = await nameOf(session, oid);
  if (name === undefined) throw gone(database.name);
  throw new UserError(
    `Database "${database.name}" of project ${projectId} is another one now: the database that this stack was set up on is called "${name}". Set database to "${name}" to keep using it, or run destroy with it before you move.`,
  );
}

function gone(database: string | undefined): TargetGone {
  return new TargetGone(
    `The database "${database}" that this stack was set up on was dropped: no database of the branch has its oid.`,
  );
}

/** What the database with this oid is called; `undefined` when there is none. */
async function nameOf(session: Session, oid: number): Promise<string | undefined> {
  const [row] = await session.read<{ datname: string }>(
    "SELECT datname::pg_catalog.text FROM pg_catalog.pg_database WHERE oid = $1",
    [oid],
  );
  return row?.datname;
}
