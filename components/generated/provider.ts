// Written by `npm run generate` from provider/contract. Edit the contract.

import type { Input, ResourceOptions } from "@pulumi/pulumi";
import { NeonBemiProvider } from "../binding";

/** Arguments of {@link Provider}. */
export interface ProviderArgs {
  /** Secret. Key of Neon's API. Default: the environment variable `NEON_API_KEY`, which is in no state. */
  apiKey?: Input<string>;
  /** Address of Neon's API. Default: the environment variable `NEON_API_URL`, otherwise Neon's own API. */
  apiUrl?: Input<string>;
  /**
   * File with the certificate authority of the database's server. Default: the environment variable
   * `PGSSLROOTCERT`, otherwise the authorities that Node.js trusts.
   */
  sslRootCert?: Input<string>;
}

/**
 * An account of Neon's. Without an explicit provider, resources use the one that the stack's configuration
 * sets up in the namespace `neon-bemi`. Make one for each account when a program works with several, and give
 * it to a resource or a component by its option `provider`. The key is encrypted in the state.
 */
export class Provider extends NeonBemiProvider {
  constructor(name: string, args?: ProviderArgs, opts?: ResourceOptions) {
    super(name, { ...args }, opts);
  }
}
