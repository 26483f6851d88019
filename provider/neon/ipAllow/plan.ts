import { UserError } from "../../contract/errors";
import { isEverything } from "../../contract/fields/ipEntries";
import type { IpAllowInputs, IpAllowOutputs } from "../../contract/kinds/ipAllow";
import type { NeonAllowedIps, NeonSettingsPatch } from "../../contract/neonApi";
import { missing, parseEntries, remove, sameText } from "../allowList/list";

/**
 * A change of the IP Allow list. Every PATCH replaces the whole list, so all steps of a plan go into one PATCH (see
 * {@link patchFor}).
 */
export type IpAllowStep =
  /** Appends entries to the list. */
  | { readonly step: "add to IP Allow"; readonly entries: readonly string[] }
  /** Removes each entry once. */
  | { readonly step: "remove from IP Allow"; readonly entries: readonly string[] }
  | ({ readonly step: "repeat another writer's change" } & OtherChange);

/** What another writer did to the list while this module changed it, and what the PATCH of this module undid. */
export interface OtherChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Left out if the other writer did not change it. */
  readonly protectedBranchesOnly?: boolean;
}

/** No other writer changed the list. */
export const NO_CHANGE: OtherChange = { added: [], removed: [] };

/**
 * Puts the entries of `ips` on the list, and removes stale ones. All other entries, their order and
 * `protected_branches_only` stay as they are.
 *
 * @param stale texts on the list of the entries that this resource added and that `ips` no longer names
 * @param other another writer's change that has to be repeated first
 * @throws UserError if the list is empty and may not be restricted, or if an entry would admit every address
 */
export function planEntries(
  list: NeonAllowedIps,
  inputs: IpAllowInputs,
  stale: readonly string[],
  other: OtherChange = NO_CHANGE,
): IpAllowStep[] {
  const entries = parseEntries(inputs.ips);
  const everything = entries.find(isEverything);
  if (everything !== undefined && !inputs.openRestrictedProject) {
    throw new UserError(
      `The IP Allow entry ${everything.text} would open project ${inputs.projectId} to every address: name the addresses, or set openRestrictedProject: true.`,
    );
  }
  const repeated = planRepetition(list, other);
  const { ips } = afterSteps(list, repeated);
  const rest = remove(ips, stale);
  const lacking = missing(rest, entries).map(({ text }) => text);
  if (ips.length === 0 && lacking.length > 0 && !inputs.restrictOpenProject) {
    throw new UserError(
      `The IP Allow list of project ${inputs.projectId} is empty, so every address may connect. With only ${lacking.join(", ")} on it nobody else could. Add the addresses of your applications to it first, or set restrictOpenProject: true.`,
    );
  }
  return [...repeated, ...removal(ips, stale), ...addition(lacking)];
}

/**
 * Removes the entries that this resource added. If the list was empty before them, it may become empty again.
 * Otherwise other writers have removed their entries since, and an empty list would open the project, which nobody
 * asked for.
 *
 * @param own texts on the list of the entries that this resource added
 * @param other another writer's change that has to be repeated first
 * @throws UserError if the project would be open to every address and may not be
 */
export function planRemoval(
  list: NeonAllowedIps,
  state: IpAllowInputs & Partial<IpAllowOutputs>,
  own: readonly string[],
  other: OtherChange = NO_CHANGE,
): IpAllowStep[] {
  const repeated = planRepetition(list, other);
  const { ips } = afterSteps(list, repeated);
  const removed = removal(ips, own);
  const opens = removed.length > 0 && remove(ips, own).length === 0;
  if (opens && state.wasOpen !== true && !state.openRestrictedProject) {
    throw new UserError(
      `Project ${state.projectId} would be open to every address without the IP Allow entries of this stack (${ips.join(", ")}), because they are the last ones: add another entry, or set openRestrictedProject: true and run up before destroy.`,
    );
  }
  return [...repeated, ...removed];
}

/** The entries that this resource added and that its inputs no longer name. */
export function staleEntries(inputs: IpAllowInputs, added: readonly string[]): string[] {
  const entries = parseEntries(inputs.ips);
  return added.filter((own) => !entries.some(({ text }) => sameText(text, own)));
}

/** The list after the steps. */
export function afterSteps(list: NeonAllowedIps, steps: readonly IpAllowStep[]): NeonAllowedIps {
  return steps.reduce(afterStep, list);
}

function afterStep(list: NeonAllowedIps, step: IpAllowStep): NeonAllowedIps {
  switch (step.step) {
    case "add to IP Allow":
      return { ...list, ips: [...list.ips, ...step.entries] };
    case "remove from IP Allow":
      return { ...list, ips: remove(list.ips, step.entries) };
    case "repeat another writer's change":
      return {
        ips: [...list.ips.filter((entry) => !step.removed.includes(entry)), ...step.added],
        protectedBranchesOnly: step.protectedBranchesOnly ?? list.protectedBranchesOnly,
      };
  }
}

/**
 * The PATCH that does the steps; `undefined` if there are none. It always has both fields, because Neon takes a field
 * that is left out as empty or off.
 */
export function patchFor(list: NeonAllowedIps, steps: readonly IpAllowStep[]): NeonSettingsPatch | undefined {
  if (steps.length === 0) return undefined;
  const { ips, protectedBranchesOnly } = afterSteps(list, steps);
  return { allowed_ips: { ips, protected_branches_only: protectedBranchesOnly } };
}

/**
 * Another writer's change that a PATCH undid.
 *
 * @param planned the list that the PATCH was planned from
 * @param seen the list at the moment of the PATCH. If it was read a little later, it has the changes of the PATCH
 *   itself, which do not count.
 * @param written the PATCH
 */
export function changeByOthers(
  planned: NeonAllowedIps,
  seen: NeonAllowedIps,
  written: NeonSettingsPatch | undefined,
): OtherChange {
  if (written === undefined || !("allowed_ips" in written)) return NO_CHANGE;
  const { ips } = written.allowed_ips;
  const change = {
    added: seen.ips.filter((entry) => !planned.ips.includes(entry) && !ips.includes(entry)),
    removed: planned.ips.filter((entry) => ips.includes(entry) && !seen.ips.includes(entry)),
  };
  return seen.protectedBranchesOnly === planned.protectedBranchesOnly
    ? change
    : { ...change, protectedBranchesOnly: seen.protectedBranchesOnly };
}

/** What is left to repeat of another writer's change. */
function planRepetition(list: NeonAllowedIps, change: OtherChange): IpAllowStep[] {
  const removed = change.removed.filter((entry) => list.ips.includes(entry));
  const rest = list.ips.filter((entry) => !removed.includes(entry));
  const added = change.added.filter((entry) => !rest.includes(entry));
  const only = change.protectedBranchesOnly;
  const changesFlag = only !== undefined && only !== list.protectedBranchesOnly;
  if (removed.length === 0 && added.length === 0 && !changesFlag) return [];
  return [
    {
      step: "repeat another writer's change",
      added,
      removed,
      ...(changesFlag ? { protectedBranchesOnly: only } : {}),
    },
  ];
}

function removal(ips: readonly string[], texts: readonly string[]): IpAllowStep[] {
  const present = texts.filter((text) => ips.includes(text));
  return present.length === 0 ? [] : [{ step: "remove from IP Allow", entries: present }];
}

function addition(entries: readonly string[]): IpAllowStep[] {
  return entries.length === 0 ? [] : [{ step: "add to IP Allow", entries }];
}
