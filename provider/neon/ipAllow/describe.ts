import type { IpAllowInputs } from "../../contract/kinds/ipAllow";
import type { NeonAllowedIps } from "../../contract/neonApi";
import { counted, firstFew } from "../../contract/wording";
import { coveredBy, missing, parseEntries } from "../allowList/list";
import { afterSteps, type IpAllowStep } from "./plan";

/** What the steps do to the list, for a preview. */
export function describeChanges(
  { projectId }: IpAllowInputs,
  list: NeonAllowedIps,
  steps: readonly IpAllowStep[],
): string[] {
  const theList = `the IP Allow list of project ${projectId}`;
  const lines = steps.flatMap((step) => {
    if (step.step === "add to IP Allow")
      return [`${entriesAre(step.entries.length)} added to ${theList}: ${firstFew(step.entries)}.`];
    if (step.step === "remove from IP Allow")
      return [`${entriesAre(step.entries.length)} taken off ${theList}: ${firstFew(step.entries)}.`];
    return [];
  });
  const after = new Set(afterSteps(list, steps).ips);
  const kept = list.ips.filter((entry) => after.has(entry)).length;
  return lines.length === 0 || kept === 0
    ? lines
    : [...lines, `${counted(kept, "entry")} ${kept === 1 ? "stays" : "stay"} on the list.`];
}

/** Who can connect from now on, and which entries a wider entry of the list already covers. */
export function describeEffects(
  inputs: IpAllowInputs,
  { ips, protectedBranchesOnly }: NeonAllowedIps,
): string[] {
  const entries = parseEntries(inputs.ips);
  const lines: string[] = [];
  if (ips.length === 0 && inputs.restrictOpenProject) {
    const scope = protectedBranchesOnly ? " to its protected branches" : "";
    lines.push(
      `From now on only ${entries.map(({ text }) => text).join(", ")} may connect to project ${inputs.projectId}${scope}: not this machine either, unless its address is among them`,
    );
  }
  for (const entry of missing(ips, entries)) {
    const wider = coveredBy(ips, entry);
    if (wider !== undefined)
      lines.push(
        `${entry.text} lies within ${wider.text}, which is on the IP Allow list already; it is added too, so that it stays if the wider entry is removed`,
      );
  }
  return lines;
}

function entriesAre(count: number): string {
  return `${counted(count, "entry")} ${count === 1 ? "is" : "are"}`;
}
