import { isGone, UserError } from "../contract/errors";
import type { RecordedTarget, ResolvedTarget, Target } from "../contract/target";
import type { NeonApi, NeonBranch, NeonEndpoint } from "../contract/neonApi";
import { connectTo, directAddress } from "./connection";
import { TargetNotFound } from "./errors";

/** How many existing names an error lists. */
const LISTED = 5;

/**
 * Looks a target up: branch by name or id, its read-write endpoint, the database and its owner. Never falls back to
 * anything that was not asked for. At most four requests (one more for a recorded branch that differs), and two where
 * compute and owner are in state and still there.
 *
 * @param recorded what state says the target meant. A name which now means another branch is an error, unless the
 *   recorded branch is gone, or its compute serves the new one: a restore makes a new branch under the old name, moves
 *   the compute there and may keep the old branch under another name. That is accepted and logged.
 * @throws TargetNotFound when branch or database do not exist; UserError when they cannot be used as they are
 */
export async function resolveTarget(
  neon: NeonApi,
  target: Target,
  recorded: Partial<RecordedTarget> | undefined,
  log: (message: string) => void,
): Promise<ResolvedTarget> {
  const { projectId } = target;
  const project = await neon.knownProject(projectId);
  const branch = await resolveBranch(neon, target);
  if (recorded?.branchId !== undefined && recorded.branchId !== branch.id)
    await acceptRestore(neon, target, branch, { ...recorded, branchId: recorded.branchId }, log);
  const unchanged = await asRecorded(neon, target, branch, recorded);
  if (unchanged !== undefined) return unchanged;
  const [endpoints, databases] = await Promise.all([
    neon.endpoints(projectId, branch.id),
    target.database === undefined ? [] : neon.databases(projectId, branch.id),
  ]);

  const endpoint = usableEndpoint(endpoints, branch, projectId);
  directAddress(endpoint.host);
  const database = databases.find(({ name }) => name === target.database);
  if (target.database !== undefined && database === undefined) {
    const names = databases.map(({ name }) => name);
    throw new TargetNotFound(
      `Branch ${branch.name} of project ${projectId} has no database "${target.database}". ${candidates("Its databases", names, target.database)}`,
    );
  }

  // Whoever has a state already must be able to refresh and destroy: there, what fails says so itself.
  if (recorded?.branchId === undefined) {
    if (project.blockPublicConnections) {
      throw new UserError(
        `Project ${projectId} blocks connections from the internet (block_public_connections), so Bemi could not connect: allow them in Neon's console under Settings > Network security.`,
      );
    }
    if (target.database !== undefined && !project.storePasswords) {
      throw new UserError(
        `Project ${projectId} does not store passwords (store_passwords is off), so Neon cannot hand out the owner's to connect with: use a project that stores them.`,
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

/**
 * Compute and owner as recorded, if Neon still hands out a connection to the database that way: the request has to be
 * made anyway, and its answer is kept.
 */
async function asRecorded(
  neon: NeonApi,
  { projectId, database: name }: Target,
  branch: NeonBranch,
  { branchId, endpointId, owner }: Partial<RecordedTarget> = {},
): Promise<ResolvedTarget | undefined> {
  if (branchId !== branch.id || endpointId === undefined || owner === undefined || name === undefined) {
    return undefined;
  }
  const database = { name, owner };
  const target = {
    projectId,
    branchId,
    branchName: branch.name,
    branchIsDefault: branch.isDefault,
    endpointId,
  };
  try {
    const { host, port } = await connectTo(neon, { ...target, database });
    return { ...target, host: `${host}:${port}`, database };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

async function resolveBranch(neon: NeonApi, { projectId, branch: wanted }: Target): Promise<NeonBranch> {
  if (wanted === undefined) {
    const main = (await neon.branches(projectId)).find(({ isDefault }) => isDefault);
    if (main === undefined)
      throw new TargetNotFound(`Project ${projectId} has no default branch: name one with branch.`);
    return main;
  }
  if (wanted.startsWith("br-")) {
    const byId = await neon.branch(projectId, wanted);
    if (byId !== undefined) return byId;
  }
  const [found, ...more] = (await neon.branches(projectId, wanted)).filter(({ name }) => name === wanted);
  if (found === undefined) {
    const names = (await neon.branches(projectId)).map(({ name }) => name);
    throw new TargetNotFound(
      `Project ${projectId} has no branch "${wanted}". ${candidates("Its branches", names, wanted)}`,
    );
  }
  if (more.length > 0) {
    const ids = [found, ...more].map(({ id }) => id).join(", ");
    throw new UserError(
      `Project ${projectId} has several branches "${wanted}" (${ids}): give branch as an id.`,
    );
  }
  return found;
}

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
      `${called} of project ${projectId} now means ${now.name} (${now.id}), but this stack was set up on ${before.name} (${before.id}). Set branch to ${before.id} to stay there, or destroy there first and then move.`,
    );
  }
  const old =
    before === undefined ? `${recorded.branchId} is gone` : `${recorded.branchId} is kept as ${before.name}`;
  log(
    `${called} of project ${projectId} is now ${now.id}; ${old}, as after a restore. Replication slots do not survive one.`,
  );
}

function usableEndpoint(
  endpoints: readonly NeonEndpoint[],
  branch: NeonBranch,
  projectId: string,
): NeonEndpoint {
  const endpoint = endpoints.find(({ readWrite }) => readWrite);
  const where = `branch ${branch.name} (${branch.id}) of project ${projectId}`;
  if (endpoint === undefined) {
    throw new UserError(
      `There is no read-write compute on ${where}: add one to the branch in Neon's console, then run this again.`,
    );
  }
  if (endpoint.disabled) {
    throw new UserError(
      `The compute ${endpoint.id} on ${where} is disabled: enable it in Neon's console, then run this again.`,
    );
  }
  return endpoint;
}

/** "Its branches: a, b and 3 more." with the likely ones first: same letters in another case, or part of the name. */
export function candidates(title: string, names: readonly string[], wanted: string): string {
  if (names.length === 0) return `${title}: none.`;
  const low = wanted.toLowerCase();
  const rank = (name: string): number => {
    const other = name.toLowerCase();
    if (other === low) return 0;
    return other.includes(low) || low.includes(other) ? 1 : 2;
  };
  const sorted = [...names].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  const rest = sorted.length - LISTED;
  return `${title}: ${sorted.slice(0, LISTED).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}.`;
}
