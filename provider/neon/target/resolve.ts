import { isGone, UserError } from "../../contract/errors";
import type { RecordedTarget, ResolvedTarget, Target } from "../../contract/target";
import type { NeonApi, NeonBranch, NeonDatabase, NeonEndpoint } from "../../contract/neonApi";
import { closest, firstFew } from "../../contract/wording";
import { connectTo, directAddress } from "./connection";
import { visibleProject } from "./project";

/** How many existing names an error lists. */
const LISTED = 5;

/** The branch or the database that the state recorded is gone: Neon knows no branch of its id, the server no such oid. */
export class TargetGone extends UserError {
  override readonly gone = true;
}

/** The branch has no database of that name. Only SQL can tell whether the recorded one has another name now. */
export class DatabaseNotFound extends UserError {
  constructor(
    message: string,
    readonly branchId: string,
    /** The branch's databases. */
    readonly databases: readonly NeonDatabase[],
  ) {
    super(message);
  }
}

/**
 * Resolves a target: the branch by name or id, its read-write endpoint, the database and its owner. Never falls back to
 * an object that the target does not name. Takes at most four requests, two more if the recorded branch differs, and
 * only two plus the connection URI, all at once, if the recorded compute and owner still exist.
 *
 * @param recorded what the target meant according to the state. If no branch has the name any more, the recorded branch
 *   is used under its new name, and a line says so. It is an error if the name now means another branch,
 *   except after a restore. A restore makes a new branch under the old name and moves the compute to it, and may keep
 *   the old branch under another name. So the new branch is accepted, and logged, if the recorded branch is gone or if
 *   its compute belongs to the new branch.
 * @throws TargetGone when the recorded branch does not exist any more; {@link DatabaseNotFound} when the branch has no
 *   database of the name; UserError when Neon shows no project or branch, or they cannot be used
 */
export async function resolveTarget(
  neon: NeonApi,
  target: Target,
  recorded: Partial<RecordedTarget> | undefined,
  log: (message: string) => void,
): Promise<ResolvedTarget> {
  const { projectId } = target;
  const asked = {
    project: visibleProject(projectId, (id) => neon.knownProject(id)),
    // All at once where there is a state: it is rarely wrong, and each answer takes a round trip.
    ...(recorded?.branchId === undefined
      ? {}
      : {
          branch: heard(resolveBranch(neon, target, recorded, log)),
          address: heard(recordedAddress(neon, target, recorded)),
        }),
  };
  const project = await asked.project;
  const branch = await (asked.branch ?? resolveBranch(neon, target, recorded, log));
  if (recorded?.branchId !== undefined && recorded.branchId !== branch.id)
    await acceptRestore(neon, target, branch, { ...recorded, branchId: recorded.branchId }, log);
  else {
    const unchanged = await asked.address;
    if (unchanged !== undefined)
      return { ...unchanged, branchName: branch.name, branchIsDefault: branch.isDefault };
  }
  const [endpoints, databases] = await Promise.all([
    neon.endpoints(projectId, branch.id),
    target.database === undefined ? [] : neon.databases(projectId, branch.id),
  ]);

  const endpoint = usableEndpoint(endpoints, branch, projectId);
  directAddress(endpoint.host);
  const database = databases.find(({ name }) => name === target.database);
  if (target.database !== undefined && database === undefined) {
    const names = databases.map(({ name }) => name);
    throw new DatabaseNotFound(
      `Branch ${branch.name} of project ${projectId} has no database "${target.database}". ${candidates("Its databases", names, target.database)}`,
      branch.id,
      databases,
    );
  }

  // Checked on create only, so that refresh and destroy still work if somebody changed these settings since.
  if (recorded?.branchId === undefined) {
    if (project.blockPublicConnections) {
      throw new UserError(
        `Project ${projectId} blocks connections from the internet (block_public_connections), so Bemi could not connect: allow them in Neon's console under Settings > Network security.`,
      );
    }
    if (target.database !== undefined && !project.storePasswords) {
      throw new UserError(
        `Project ${projectId} does not store passwords (store_passwords is off), so Neon cannot hand out the owner's password to connect with: use a project that stores them.`,
      );
    }
  }
  return {
    projectId,
    branchId: branch.id,
    branchName: branch.name,
    branchIsDefault: branch.isDefault,
    endpointId: endpoint.id,
    host: endpoint.host,
    ...(database === undefined ? {} : { database }),
  };
}

/** Lets a promise fail before somebody waits for it. */
function heard<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined);
  return promise;
}

/**
 * The target with branch, compute and owner as recorded, or `undefined` if they no longer exist together. Asks Neon for
 * the connection URI of compute, database and owner. That costs nothing: connecting needs the URI anyway, and the client
 * keeps it.
 */
async function recordedAddress(
  neon: NeonApi,
  { projectId, database: name }: Target,
  { branchId, endpointId, owner, databaseOid: oid }: Partial<RecordedTarget>,
): Promise<Omit<ResolvedTarget, "branchName" | "branchIsDefault"> | undefined> {
  if (branchId === undefined || endpointId === undefined || owner === undefined || name === undefined)
    return undefined;
  const database = { name, owner, ...(oid === undefined ? {} : { oid }) };
  const target = { projectId, branchId, endpointId };
  try {
    const { host, port } = await connectTo(neon, { ...target, database });
    return { ...target, host: `${host}:${port}`, database };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

async function resolveBranch(
  neon: NeonApi,
  { projectId, branch: asked }: Target,
  recorded: Partial<RecordedTarget> | undefined,
  log: (message: string) => void,
): Promise<NeonBranch> {
  if (asked === undefined) {
    const main = (await neon.branches(projectId)).find(({ isDefault }) => isDefault);
    if (main === undefined)
      throw new UserError(`Project ${projectId} has no default branch: name one with branch.`);
    return main;
  }
  const found = await findBranch(neon, projectId, asked);
  if (found !== undefined) return found;
  if (recorded?.branchId === undefined) {
    const names = (await neon.branches(projectId)).map(({ name }) => name);
    throw new UserError(
      `Project ${projectId} has no branch "${asked}". ${candidates("Its branches", names, asked)}`,
    );
  }
  const renamed = await neon.branch(projectId, recorded.branchId);
  if (renamed === undefined)
    throw new TargetGone(`Branch "${asked}" (${recorded.branchId}) of project ${projectId} is gone.`);
  log(
    `Branch "${asked}" of project ${projectId} is called "${renamed.name}" now (${renamed.id}), and is used under that name. Set branch to "${renamed.name}".`,
  );
  return renamed;
}

/** The branch of this id or name, if there is one. */
async function findBranch(neon: NeonApi, projectId: string, asked: string): Promise<NeonBranch | undefined> {
  if (asked.startsWith("br-")) {
    const byId = await neon.branch(projectId, asked);
    if (byId !== undefined) return byId;
  }
  const [found, ...more] = (await neon.branches(projectId, asked)).filter(({ name }) => name === asked);
  if (found === undefined || more.length === 0) return found;
  const ids = [found, ...more].map(({ id }) => id).join(", ");
  throw new UserError(`Project ${projectId} has several branches "${asked}" (${ids}): give branch as an id.`);
}

/**
 * Accepts and logs that the name means another branch than recorded, if a restore explains it.
 *
 * @throws UserError if a restore does not explain it
 */
async function acceptRestore(
  neon: NeonApi,
  { projectId, branch }: Target,
  now: NeonBranch,
  recorded: Partial<RecordedTarget> & { readonly branchId: string },
  log: (message: string) => void,
): Promise<void> {
  const before = await neon.branch(projectId, recorded.branchId);
  const moved = (await neon.endpoints(projectId, now.id)).some(({ id }) => id === recorded.endpointId);
  const called = branch === undefined ? "The default branch" : `Branch "${branch}"`;
  if (before !== undefined && !moved) {
    throw new UserError(
      `${called} of project ${projectId} now means ${now.name} (${now.id}), but this stack was set up on ${before.name} (${before.id}). Set branch to ${before.id} to keep using ${before.name}, or run destroy with it before you move.`,
    );
  }
  const old =
    before === undefined ? `${recorded.branchId} is gone` : `${recorded.branchId} is kept as ${before.name}`;
  log(
    `${called} of project ${projectId} is now ${now.id}; ${old}, as after a restore. Replication slots do not survive a restore.`,
  );
}

function usableEndpoint(
  endpoints: readonly NeonEndpoint[],
  branch: NeonBranch,
  projectId: string,
): NeonEndpoint {
  const endpoint = endpoints.find(({ readWrite }) => readWrite);
  const place = `branch ${branch.name} (${branch.id}) of project ${projectId}`;
  if (endpoint === undefined) {
    throw new UserError(
      `There is no read-write compute on ${place}: add one to the branch in Neon's console, then run this again.`,
    );
  }
  if (endpoint.disabled) {
    throw new UserError(
      `The compute ${endpoint.id} on ${place} is disabled: enable it in Neon's console, then run this again.`,
    );
  }
  return endpoint;
}

/**
 * Lists existing names, e.g. "Its branches: a, b and 3 more." Names that the user may have meant come first: the same
 * name in another case, then names that contain it or are contained in it.
 */
function candidates(title: string, names: readonly string[], asked: string): string {
  if (names.length === 0) return `${title}: none.`;
  const low = asked.toLowerCase();
  const rank = (name: string): number => {
    const other = name.toLowerCase();
    if (other === low) return 0;
    return other.includes(low) || low.includes(other) ? 1 : 2;
  };
  const sorted = [...names].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  const near = closest(asked, names);
  // Where several names are near, as of numbered branches, none of them is a good guess.
  const only =
    near !== undefined &&
    closest(
      asked,
      names.filter((name) => name !== near),
    ) === undefined;
  const hint = only ? ` Did you mean "${near}"?` : "";
  return `${title}: ${firstFew(sorted, LISTED)}.${hint}`;
}
