// Written by `npm run generate` from provider/contract. Edit the contract.

import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import { ipAllowDefinition } from "../../provider/contract/kinds/ipAllow";
import { NeonBemiResource } from "../binding";

/** Arguments of {@link IpAllow}. */
export interface IpAllowArgs {
  /** Id of the Neon project, e.g. `cool-darkness-123456`. A change replaces the resource. */
  projectId: Input<string>;
  /** Addresses to allow, each as IPv4 or IPv6 address, CIDR block, or range `first-last`. */
  ips: Input<Input<string>[]>;
  /**
   * Permits adding to an empty IP Allow list. An empty list admits everyone; with these addresses in it
   * **only** they can connect, so your application and the machine that runs Pulumi are locked out unless
   * they are among them. Default: `false`.
   */
  restrictOpenProject?: Input<boolean>;
  /**
   * Permits removing the last entry of the IP Allow list, which opens the project to every address. Default:
   * `false`.
   */
  openRestrictedProject?: Input<boolean>;
  /**
   * Entries that the list lacked before the trail: `ipAllowLacked` of its `LogicalReplication`. Those that
   * are on the list by now were added by an `up` that was killed, and count as added here. `BemiAuditTrail`
   * fills it in. Default: none.
   */
  lackedBefore?: Input<Input<string>[]>;
  /**
   * Whether the list was empty before the trail: `ipAllowWasOpen` of its `LogicalReplication`.
   * `BemiAuditTrail` fills it in. Default: false.
   */
  wasOpenBefore?: Input<boolean>;
}

/**
 * Entries of a Neon project's IP Allow list. Adds its own entries, and removes only those on destroy. The
 * other entries, their order and `protected_branches_only` stay as they are.
 */
export class IpAllow extends NeonBemiResource {
  /**
   * The entries this resource added, as sent to Neon; entries that were in the list before are not among
   * them.
   */
  declare readonly added: Output<string[]>;
  /** Whether the list was empty, so open to everyone, before. */
  declare readonly wasOpen: Output<boolean>;

  constructor(name: string, args: IpAllowArgs, opts?: CustomResourceOptions) {
    super(ipAllowDefinition, name, { ...args }, opts);
  }
}
