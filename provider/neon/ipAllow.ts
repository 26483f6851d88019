import { isGone, UnfinishedError, UserError } from "../contract/errors";
import { ipAllowInputs, type IpAllowInputs } from "../contract/inputs";
import type { Drift, Kind, Run } from "../contract/kind";
import type { IpAllowOutputs } from "../contract/outputs";
import type { NeonAllowedIps, NeonProject, NeonSettingsPatch } from "../contract/neonApi";
import { systemClock, type Clock } from "../contract/clock";
import { NeonError } from "./errors";
import {
  changedByOthers,
  coveredBy,
  isEverything,
  merge,
  missing,
  parseEntries,
  parseEntry,
  remove,
  sameText,
} from "./ipList";

/**
 * How long after a PATCH the list is read again at least, in milliseconds. Neon has no version of the list to compare
 * with, so whoever read it before our PATCH and writes after it takes our entries away. Once this time has passed,
 * such a write has landed, and is seen and repaired. What somebody else writes between our own read and our PATCH is
 * seen by a look beside the PATCH, and done again.
 */
const SETTLE = 1_500;

/** How often what another writer undid is done again before we give up. */
const ROUNDS = 8;

/** Our entries in a project's IP Allow list; the rest of the list, its order and its flag stay as they are. */
export const ipAllow = ipAllowKind(systemClock);

export function ipAllowKind(clock: Clock): Kind<IpAllowInputs, IpAllowOutputs> {
  return {
    name: "ipAllow",
    inputs: ipAllowInputs.extend({
      ips: ipAllowInputs.shape.ips.superRefine((ips, context) => {
        for (const text of ips) {
          const parsed = parseEntry(text);
          if (typeof parsed === "string") context.addIssue(`"${text}" ${parsed}`);
        }
      }),
    }),
    replaceOn: ["projectId"],
    id: ({ projectId }) => projectId,

    notice: ({ projectId, ips, restrictOpenProject }) =>
      restrictOpenProject
        ? `If the IP Allow list of project ${projectId} is empty, from then on only ${ips.join(", ")} may connect: not this machine either, unless its address is among them`
        : undefined,

    create: async (inputs, run) => {
      const project = await run.neon.project(inputs.projectId);
      return apply(inputs, { added: [], wasOpen: false }, project, run, clock);
    },

    read: async (state, run) => {
      let project: NeonProject;
      try {
        project = await run.neon.knownProject(state.projectId);
      } catch (error) {
        if (isGone(error)) return undefined;
        throw error;
      }
      const outputs = { added: state.added ?? [], wasOpen: state.wasOpen ?? false };
      return { outputs, drift: driftOf(project.allowedIps.ips, state.ips) };
    },

    update: async (state, inputs, run) => {
      const before = { added: state.added ?? [], wasOpen: state.wasOpen ?? false };
      return apply(inputs, before, await run.neon.project(inputs.projectId), run, clock);
    },

    delete: async (state, run) => {
      try {
        await takeBack(state, await run.neon.project(state.projectId), run, clock);
      } catch (error) {
        if (!isGone(error)) throw error;
        run.log(`Project ${state.projectId} is not there for this API key: no IP Allow entries to take back`);
      }
    },
  };
}

/** Puts the wanted entries into the list and takes out those of ours that are wanted no longer. */
async function apply(
  inputs: IpAllowInputs,
  before: IpAllowOutputs,
  project: NeonProject,
  run: Run,
  clock: Clock,
): Promise<IpAllowOutputs> {
  const wanted = parseEntries(inputs.ips);
  const all = wanted.find(isEverything);
  if (all !== undefined && !inputs.openRestrictedProject) {
    throw new UserError(
      `The IP Allow entry ${all.text} would open project ${inputs.projectId} to every address: name the addresses, or set openRestrictedProject: true.`,
    );
  }
  const stale = before.added.filter((ours) => !wanted.some(({ text }) => sameText(text, ours)));
  const kept = before.added.filter((ours) => !stale.includes(ours));
  // Whatever was lacking when we looked, and was put in by us, is ours, however many rounds that takes.
  const added = new Set(kept);
  const wasOpen = before.wasOpen || project.allowedIps.ips.length === 0;

  const plan = ({ allowedIps }: NeonProject): NeonSettingsPatch | undefined => {
    const rest = remove(allowedIps.ips, stale);
    const lacking = missing(rest, wanted);
    if (lacking.length === 0 && rest.length === allowedIps.ips.length) return undefined;
    if (allowedIps.ips.length === 0) refuseToRestrict(inputs);
    for (const entry of lacking) {
      if (![...added].some((ours) => sameText(ours, entry.text))) added.add(entry.text);
    }
    return patch(merge(rest, wanted), allowedIps.protectedBranchesOnly);
  };

  const outputs = (): IpAllowOutputs => ({ added: [...added], wasOpen });
  sayWhatChanges(project, inputs, run);
  try {
    await converge(inputs.projectId, plan, project, run, clock);
  } catch (error) {
    // Entries that may be on the list by now have no mark that says they are ours; only the state can.
    const refused = error instanceof NeonError && error.method === "PATCH" && !error.outcomeUnknown;
    if (!(error instanceof UserError) || refused || added.size === kept.length) throw error;
    throw new UnfinishedError(error.message, outputs());
  }
  return outputs();
}

/** Takes our entries out of the list. */
async function takeBack(
  state: IpAllowInputs & Partial<IpAllowOutputs>,
  project: NeonProject,
  run: Run,
  clock: Clock,
): Promise<void> {
  const plan = ({ allowedIps }: NeonProject): NeonSettingsPatch | undefined => {
    const rest = remove(allowedIps.ips, state.added ?? []);
    if (rest.length === allowedIps.ips.length) return undefined;
    // Where the list was empty before us, and restricting it was asked for, an empty list is what a destroy owes.
    // Where it was not, others have taken theirs out meanwhile, and nobody has said that it may be open to all.
    if (rest.length === 0 && state.wasOpen !== true && !state.openRestrictedProject) {
      throw new UserError(
        `Project ${state.projectId} would be open to every address without our IP Allow entries (${allowedIps.ips.join(", ")}), as they are the last ones: add another entry, or set openRestrictedProject: true and run up before destroy.`,
      );
    }
    return patch(rest, allowedIps.protectedBranchesOnly);
  };
  if (plan(project) !== undefined && remove(project.allowedIps.ips, state.added ?? []).length === 0) {
    run.log(
      `The IP Allow list of project ${state.projectId} becomes empty: every address may connect from now on`,
    );
  }
  await converge(state.projectId, plan, project, run, clock);
}

/** PATCHes until the plan asks for nothing, a while after the last PATCH too. */
async function converge(
  projectId: string,
  plan: (project: NeonProject) => NeonSettingsPatch | undefined,
  project: NeonProject,
  run: Run,
  clock: Clock,
): Promise<void> {
  let current = project;
  let undone: Undone = NOTHING;
  const next = (now: NeonProject): NeonSettingsPatch | undefined => {
    const mended = redo(undone, now.allowedIps);
    return (
      plan({ ...now, allowedIps: mended }) ??
      (sameList(mended, now.allowedIps) ? undefined : patch(mended.ips, mended.protectedBranchesOnly))
    );
  };
  for (let round = 0; next(current) !== undefined; round++) {
    if (round === ROUNDS) {
      throw new UserError(
        `The IP Allow list of project ${projectId} was changed by somebody else ${ROUNDS} times while we changed it: find out who writes it, then run this again.`,
      );
    }
    if (round > 0)
      run.log(`Somebody else changed the IP Allow list of project ${projectId} meanwhile; repairing it`);
    let theirs = NOTHING;
    await run.neon.updateSettings(projectId, next, current, (seen, planned) => {
      theirs = undoneBy(next(planned), seen, planned);
    });
    undone = theirs;
    // Spread out, and further with every round, so that many stacks at once do not keep undoing each other's work.
    await clock.sleep(SETTLE * (1 + Math.random() * round));
    current = await run.neon.project(projectId);
  }
}

/** What others changed between our reading and our writing, so that our writing undid it. */
interface Undone {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly protectedBranchesOnly?: boolean;
}

const NOTHING: Undone = { added: [], removed: [] };

function undoneBy(written: NeonSettingsPatch | undefined, seen: NeonProject, planned: NeonProject): Undone {
  if (written === undefined || !("allowed_ips" in written)) return NOTHING;
  const now = seen.allowedIps.protectedBranchesOnly;
  return {
    ...changedByOthers(planned.allowedIps.ips, seen.allowedIps.ips, written.allowed_ips.ips),
    ...(now === planned.allowedIps.protectedBranchesOnly ? {} : { protectedBranchesOnly: now }),
  };
}

function redo({ added, removed, protectedBranchesOnly }: Undone, list: NeonAllowedIps): NeonAllowedIps {
  const rest = list.ips.filter((entry) => !removed.includes(entry));
  return {
    ips: [...rest, ...added.filter((entry) => !rest.includes(entry))],
    protectedBranchesOnly: protectedBranchesOnly ?? list.protectedBranchesOnly,
  };
}

function sameList(one: NeonAllowedIps, other: NeonAllowedIps): boolean {
  return (
    one.protectedBranchesOnly === other.protectedBranchesOnly && one.ips.join(" ") === other.ips.join(" ")
  );
}

/** Both fields, always: Neon takes one that is left out as empty or off. */
function patch(ips: readonly string[], protectedBranchesOnly: boolean): NeonSettingsPatch {
  return { allowed_ips: { ips, protected_branches_only: protectedBranchesOnly } };
}

function refuseToRestrict({ projectId, restrictOpenProject }: IpAllowInputs): void {
  if (restrictOpenProject) return;
  throw new UserError(
    `The IP Allow list of project ${projectId} is empty, so every address may connect; our entries would lock everybody else out. Add the addresses of your applications to it first, or set restrictOpenProject: true.`,
  );
}

function sayWhatChanges({ allowedIps }: NeonProject, inputs: IpAllowInputs, run: Run): void {
  const wanted = parseEntries(inputs.ips);
  if (allowedIps.ips.length === 0 && inputs.restrictOpenProject) {
    const scope = allowedIps.protectedBranchesOnly ? " to its protected branches" : "";
    run.log(
      `From now on only ${wanted.map(({ text }) => text).join(", ")} may connect to project ${inputs.projectId}${scope}: not this machine either, unless its address is among them`,
    );
  }
  for (const entry of missing(allowedIps.ips, wanted)) {
    const wider = coveredBy(allowedIps.ips, entry);
    if (wider !== undefined) {
      run.log(
        `${entry.text} lies within ${wider.text}, which is on the IP Allow list already; added so that it stays if that goes`,
      );
    }
  }
}

function driftOf(list: readonly string[], ips: readonly string[]): Drift {
  const lacking = missing(list, parseEntries(ips)).map(({ text }) => text);
  return lacking.length === 0 ? {} : { "not on the IP Allow list": lacking };
}
