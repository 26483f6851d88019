import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import { NeonBemiResource } from "./binding";

export interface IpAllowArgs {
  /** Id of the Neon project. Another project replaces the resource. */
  projectId: Input<string>;
  /** Addresses to allow: IPv4 or IPv6, CIDR, or a range `first-last`. */
  ips: Input<Input<string>[]>;
  /**
   * Permits adding to an empty list. An empty list is open to all: from then on **only** these addresses can connect,
   * your application and the machine that runs Pulumi included. Default: false.
   */
  restrictOpenProject?: Input<boolean>;
  /** Permits taking the last entry away, which opens the project to every address. Default: false. */
  openRestrictedProject?: Input<boolean>;
}

/**
 * Entries of Neon's IP Allow list. Adds its own and takes away its own; the other entries, their order and
 * `protected_branches_only` stay as they are.
 */
export class IpAllow extends NeonBemiResource {
  /** The entries this resource added; those that were there before are not among them. */
  declare readonly added: Output<string[]>;

  constructor(name: string, args: IpAllowArgs, opts?: CustomResourceOptions) {
    super(
      { type: "IpAllow", computed: ["added", "wasOpen"] },
      name,
      {
        ...args,
        restrictOpenProject: args.restrictOpenProject ?? false,
        openRestrictedProject: args.openRestrictedProject ?? false,
      },
      opts,
    );
  }
}
