import { UnfinishedError, UserError } from "../../contract/errors";
import { parseProjectId } from "../../contract/importId";
import { type IpAllowInputs, type IpAllowOutputs, ipAllowDefinition } from "../../contract/kinds/ipAllow";
import type { Drift, Kind, Run } from "../../contract/kind";
import type { NeonAllowedIps, NeonProject, NeonSettingsPatch } from "../../contract/neonApi";
import { systemClock, type Clock } from "../../contract/clock";
import { NeonError } from "../api/errors";
import { visibleProject } from "../target/project";
import { firstFew } from "../../contract/wording";
import { withKilled } from "../allowList/before";
import { describeChanges, describeEffects } from "./describe";
import { isEntry, missing, parseEntries, sameText, textsOnList } from "../allowList/list";
import {
  afterSteps,
  changeByOthers,
  NO_CHANGE,
  patchFor,
  planEntries,
  planRemoval,
  staleEntries,
  type IpAllowStep,
  type OtherChange,
} from "./plan";

/**
 * How long after a PATCH the list is read again at least, in milliseconds. Neon's list has no version, so another
 * writer that read it before this module's PATCH and writes after it removes the entries again. By this time that write
 * has arrived, so it is seen and repaired. A write that comes between this module's read and its PATCH is seen by the
 * read that is sent together with the PATCH.
 */
const SETTLE = 1_500;

/** How often the list is repaired after another writer before that is an error. */
const ROUNDS = 8;

/** Entries of a project's IP Allow list. The rest of the list, its order and its flag stay as they are. */
export const ipAllow = ipAllowKind(systemClock);

/** {@link ipAllow} on a clock that tests choose. */
export function ipAllowKind(clock: Clock): Kind<IpAllowInputs, IpAllowOutputs> {
  return {
    definition: ipAllowDefinition,
    id: ({ projectId }) => projectId,

    plan: async (inputs, run, state, _replaces, others) => {
      const { allowedIps } = await known(inputs.projectId, run);
      const before = recordedOf(inputs, state, allowedIps, others);
      const { plan, outputs } = planUpdate(inputs, before, allowedIps, others);
      const steps = plan(allowedIps, NO_CHANGE);
      return {
        outputs: outputs(),
        changes: [
          ...describeChanges(inputs, allowedIps, steps),
          ...(steps.length === 0 ? [] : describeEffects(inputs, allowedIps)),
        ],
      };
    },

    create: async (inputs, run, _replaces, others) =>
      apply(inputs, undefined, {
        project: await fresh(inputs.projectId, run),
        run,
        clock,
        others,
      }),

    read: async (state, run) => {
      const { allowedIps } = await known(state.projectId, run);
      return { outputs: outputsIn(state), drift: driftOf(allowedIps.ips, state.ips) };
    },

    update: async (state, inputs, run, others) =>
      apply(inputs, state, { project: await fresh(inputs.projectId, run), run, clock, others }),

    delete: async (state, run, _replaced, others = []) => {
      const outputs = outputsIn(state);
      const needed = neededBy(outputs.added, others);
      if (needed.length > 0)
        run.log(`Another resource of this stack needs ${firstFew(needed)}, so the IP Allow list keeps it`);
      const added = outputs.added.filter((entry) => !needed.includes(entry));
      await takeBack({ ...state, ...outputs, added }, await fresh(state.projectId, run), run, clock);
    },

    // The entries count as others' own: a destroy leaves them on the list.
    find: async (id, run) => {
      const projectId = parseProjectId(id, ipAllowDefinition.type);
      const { allowedIps } = await known(projectId, run);
      const ips = allowedIps.ips.filter(isEntry);
      return ips.length === 0
        ? undefined
        : { inputs: { projectId, ips }, outputs: { added: [], wasOpen: false } };
    },
  };
}

/** The project as this process knows it. */
function known(projectId: string, run: Run): Promise<NeonProject> {
  return visibleProject(projectId, (id) => run.neon.knownProject(id));
}

/** The project as it is now. */
function fresh(projectId: string, run: Run): Promise<NeonProject> {
  return visibleProject(projectId, (id) => run.neon.project(id));
}

/** What the state records. Entries that its inputs do not name are not its own, whatever it says. */
function outputsIn(state: (IpAllowInputs & Partial<IpAllowOutputs>) | undefined): IpAllowOutputs {
  const { ips = [], added = [], wasOpen = false } = state ?? {};
  const named = parseEntries(ips);
  return { added: added.filter((own) => named.some(({ text }) => sameText(text, own))), wasOpen };
}

/** The entries that others name. */
function neededBy(entries: readonly string[], others: readonly IpAllowInputs[]): string[] {
  const named = parseEntries(others.flatMap(({ ips }) => ips));
  return entries.filter((own) => named.some(({ text }) => sameText(text, own)));
}

/**
 * What this stack has added of the inputs' entries on the list: by the state, by the states of its other resources, and by
 * an up that was killed.
 */
function recordedOf(
  inputs: IpAllowInputs,
  state: (IpAllowInputs & Partial<IpAllowOutputs>) | undefined,
  list: NeonAllowedIps,
  others: readonly (IpAllowInputs & Partial<IpAllowOutputs>)[] = [],
): IpAllowOutputs {
  const { added, wasOpen } = withKilled(outputsIn(state), inputs, state?.ips ?? [], list);
  const lacking = missing(list.ips, parseEntries(inputs.ips)).map(({ text }) => text);
  const shared = neededBy(
    others.flatMap((other) => outputsIn(other).added),
    [inputs],
  ).filter((entry) => ![...added, ...lacking].some((own) => sameText(own, entry)));
  return {
    added: [...added, ...new Set(shared)],
    wasOpen: wasOpen || (shared.length > 0 && others.some((other) => other.wasOpen === true)),
  };
}

/** Puts the entries of the inputs on the list, and removes entries that the inputs no longer name. */
async function apply(
  inputs: IpAllowInputs,
  state: (IpAllowInputs & Partial<IpAllowOutputs>) | undefined,
  { project, run, clock, others }: Means,
): Promise<IpAllowOutputs> {
  const before = recordedOf(inputs, state, project.allowedIps, others);
  const { plan, kept, outputs } = planUpdate(inputs, before, project.allowedIps, others);
  for (const line of describeEffects(inputs, project.allowedIps)) run.log(line);
  try {
    await converge(plan, project, run, clock);
  } catch (error) {
    // Entries have no mark of ownership. If they may be on the list by now, only the state can say whose they are.
    const refused = error instanceof NeonError && error.method === "PATCH" && !error.outcomeUnknown;
    if (!(error instanceof UserError) || refused || outputs().added.length === kept.length) throw error;
    throw new UnfinishedError(error.message, outputs());
  }
  return outputs();
}

/** What a change of the list needs besides inputs and record. */
interface Means {
  readonly project: NeonProject;
  readonly run: Run;
  readonly clock: Clock;
  /** The states of the stack's other resources for the same project. Default: none. */
  readonly others: readonly (IpAllowInputs & Partial<IpAllowOutputs>)[] | undefined;
}

/** How the list comes to what the inputs ask for, and what is recorded of it. */
interface Update {
  readonly plan: Plan;
  /** The entries that this resource has added before and that the inputs still name. */
  readonly kept: readonly string[];
  /** After the plans made so far. */
  readonly outputs: () => IpAllowOutputs;
}

/**
 * @param before what the state records
 * @param others resources whose entries stay on the list
 */
function planUpdate(
  inputs: IpAllowInputs,
  before: IpAllowOutputs,
  { ips }: NeonAllowedIps,
  others: readonly IpAllowInputs[] = [],
): Update {
  const unnamed = staleEntries(inputs, before.added);
  const needed = neededBy(unnamed, others);
  const stale = unnamed.filter((entry) => !needed.includes(entry));
  const kept = before.added.filter((entry) => !unnamed.includes(entry));
  // Every entry that was lacking and that this run adds is recorded as added, in whichever round that happens.
  const added = new Set(kept);
  const staleTexts = textsOnList(ips, stale);
  return {
    kept,
    plan: (list, other) => {
      const steps = planEntries(list, inputs, staleTexts, other);
      for (const entry of addedBy(steps)) {
        if (![...added].some((own) => sameText(own, entry))) added.add(entry);
      }
      return steps;
    },
    outputs: () => ({ added: [...added], wasOpen: before.wasOpen || ips.length === 0 }),
  };
}

/** Removes the entries that this resource added. */
async function takeBack(
  state: IpAllowInputs & Partial<IpAllowOutputs>,
  project: NeonProject,
  run: Run,
  clock: Clock,
): Promise<void> {
  const own = textsOnList(project.allowedIps.ips, outputsIn(state).added);
  const plan: Plan = (list, other) => planRemoval(list, state, own, other);
  const steps = plan(project.allowedIps, NO_CHANGE);
  if (steps.length > 0 && afterSteps(project.allowedIps, steps).ips.length === 0) {
    run.log(
      `The IP Allow list of project ${state.projectId} becomes empty: every address may connect from now on`,
    );
  }
  await converge(plan, project, run, clock);
}

function addedBy(steps: readonly IpAllowStep[]): readonly string[] {
  return steps.flatMap((step) => (step.step === "add to IP Allow" ? step.entries : []));
}

/** Plans from the list as it is, after repeating a change of another writer. */
type Plan = (list: NeonAllowedIps, other: OtherChange) => readonly IpAllowStep[];

/**
 * PATCHes the list until the plan has no steps, also a while after the last PATCH. This takes the place of `execute`:
 * all steps of a plan are one PATCH, and a PATCH that is refused for the moment is planned again.
 */
async function converge(plan: Plan, project: NeonProject, run: Run, clock: Clock): Promise<void> {
  const { id: projectId } = project;
  let current = project;
  let other = NO_CHANGE;
  const patch = ({ allowedIps }: NeonProject): NeonSettingsPatch | undefined =>
    patchFor(allowedIps, plan(allowedIps, other));
  for (let round = 0; patch(current) !== undefined; round++) {
    if (round === ROUNDS) {
      throw new UserError(
        `Another writer changed the IP Allow list of project ${projectId} ${ROUNDS} times while this stack changed it: find out what writes the list, then run this again.`,
      );
    }
    if (round > 0)
      run.log(
        `Another writer changed the IP Allow list of project ${projectId} in the meantime; repairing it`,
      );
    let undone = NO_CHANGE;
    await run.neon.updateSettings(projectId, patch, current, (seen, planned) => {
      undone = changeByOthers(planned.allowedIps, seen.allowedIps, patch(planned));
    });
    other = undone;
    // A random wait that grows with every round keeps many stacks from undoing each other's changes for ever.
    await clock.sleep(SETTLE * (1 + Math.random() * round));
    current = await run.neon.project(projectId);
  }
}

function driftOf(list: readonly string[], ips: readonly string[]): Drift {
  const lacking = missing(list, parseEntries(ips)).map(({ text }) => text);
  return lacking.length === 0 ? {} : { missingEntries: firstFew(lacking) };
}
