import type {
  LogicalReplicationInputs,
  LogicalReplicationOutputs,
} from "../../contract/kinds/logicalReplication";
import type { IpAllowInputs, IpAllowOutputs } from "../../contract/kinds/ipAllow";
import type { NeonAllowedIps } from "../../contract/neonApi";
import { missing, parseEntries, sameText } from "./list";

/*
 * Nothing on an IP Allow list says who added an entry, and an up that is killed between its request and the end of the
 * create leaves nothing in the state. So the first resource of a trail records what the list lacked, and the last one,
 * which adds it, is told.
 */

/** What the first resource of a trail records of the list. */
export type ListBefore = Pick<LogicalReplicationOutputs, "ipAllowLacked" | "ipAllowWasOpen">;

type State = Pick<LogicalReplicationInputs, "allowedIps"> & Partial<ListBefore>;

/** The record for these inputs. What was recorded of an entry stays, because by now the trail may have added it. */
export function listBefore(
  { allowedIps = [] }: Pick<LogicalReplicationInputs, "allowedIps">,
  { ips }: NeonAllowedIps,
  state: State | undefined,
): ListBefore {
  const [asked, wanted] = [parseEntries(state?.allowedIps ?? []), parseEntries(allowedIps)];
  const kept = (state?.ipAllowLacked ?? []).filter((own) => wanted.some(({ text }) => sameText(text, own)));
  const added = missing(
    ips,
    wanted.filter(({ text }) => !asked.some((before) => sameText(before.text, text))),
  ).map(({ text }) => text);
  return {
    ipAllowLacked: [...kept, ...added],
    ipAllowWasOpen:
      (kept.length > 0 && state?.ipAllowWasOpen === true) || (added.length > 0 && ips.length === 0),
  };
}

/**
 * What a state records, with the entries that only a killed up can have added: the inputs name them for the first time,
 * and the list lacked them before the trail.
 *
 * @param before what the state records
 * @param named entries that the inputs of the state name
 */
export function withKilled(
  before: IpAllowOutputs,
  { ips, lackedBefore = [], wasOpenBefore = false }: IpAllowInputs,
  named: readonly string[],
  list: NeonAllowedIps,
): IpAllowOutputs {
  const entries = parseEntries(ips);
  const lacking = missing(list.ips, entries);
  const left = entries
    .filter((entry) => !lacking.includes(entry))
    .map(({ text }) => text)
    .filter((entry) => lackedBefore.some((lacked) => sameText(lacked, entry)))
    .filter((entry) => ![...named, ...before.added].some((other) => sameText(other, entry)));
  return {
    added: [...before.added, ...left],
    wasOpen: before.wasOpen || (left.length > 0 && wasOpenBefore),
  };
}
