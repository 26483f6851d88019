/**
 * Environment variables by which the argument `migrations` tells `neon-bemi exec` what to run, and on which database. As
 * arguments they would have to be quoted for the shell of every system.
 */
export const MIGRATIONS_ENVIRONMENT = {
  projectId: "NEON_BEMI_PROJECT_ID",
  branch: "NEON_BEMI_BRANCH",
  database: "NEON_BEMI_DATABASE",
  /** A line for the system's shell. */
  command: "NEON_BEMI_COMMAND",
} as const;
