/** Where a role logs in, and how. Lives in memory only. */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** Name of the role. */
  readonly user: string;
  /** Secret. */
  readonly password: string;
}

/** What applies to every SQL connection of the process, whoever logs in. */
export interface ConnectionSettings {
  /**
   * Path of a file with the root certificates that server certificates are verified against. Default, also for
   * `system`: the authorities that Node.js trusts.
   */
  readonly sslRootCert?: string;
}
