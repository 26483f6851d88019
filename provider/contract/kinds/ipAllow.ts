import * as z from "zod";
import { define } from "../definition";
import { ipEntry } from "../fields/ipEntries";
import { projectTarget } from "../fields/target";
import { filledList, flag } from "../fields/values";

export const ipAllowInputs = z.strictObject({
  ...projectTarget,
  ips: filledList(ipEntry()).meta({
    description: "Addresses to allow, each as IPv4 or IPv6 address, CIDR block, or range `first-last`.",
  }),
  restrictOpenProject: flag().default(false).meta({
    description:
      "Permits adding to an empty IP Allow list. An empty list admits everyone; with these addresses in it **only** they can connect, so your application and the machine that runs Pulumi are locked out unless they are among them.",
  }),
  openRestrictedProject: flag().default(false).meta({
    description:
      "Permits removing the last entry of the IP Allow list, which opens the project to every address.",
  }),
  lackedBefore: z.array(z.string()).readonly().optional().meta({
    description:
      "Entries that the list lacked before the trail: `ipAllowLacked` of its `LogicalReplication`. Those that are on the list by now were added by an `up` that was killed, and count as added here.",
    whenOmitted: "none",
    filledInBy: "component",
  }),
  wasOpenBefore: z.boolean().optional().meta({
    description: "Whether the list was empty before the trail: `ipAllowWasOpen` of its `LogicalReplication`.",
    whenOmitted: "false",
    filledInBy: "component",
  }),
});

export const ipAllowOutputs = z.object({
  added: z.array(z.string()).readonly().meta({
    description:
      "The entries this resource added, as sent to Neon; entries that were in the list before are not among them.",
  }),
  wasOpen: z.boolean().meta({ description: "Whether the list was empty, so open to everyone, before." }),
});

export const ipAllowDefinition = define({
  type: "IpAllow",
  description: `Entries of a Neon project's IP Allow list. Adds its own entries, and removes only those on destroy. The other
entries, their order and \`protected_branches_only\` stay as they are.`,
  inputs: ipAllowInputs,
  outputs: ipAllowOutputs,
  replaceOn: ["projectId"],
});

export type IpAllowInputs = z.output<typeof ipAllowInputs>;
export type IpAllowOutputs = z.output<typeof ipAllowOutputs>;
