import * as z from "zod";
import { ApiError } from "./errors";
import type { Settings } from "./state";

/** The settings that a request may set. */
export const settingsChange = z.object({
  quota: z.record(z.string(), z.int().min(0)).optional(),
  allowed_ips: z
    .object({ ips: z.array(z.string()).optional(), protected_branches_only: z.boolean().optional() })
    .optional(),
  enable_logical_replication: z.boolean().optional(),
  maintenance_window: z
    .object({ weekdays: z.array(z.int()), start_time: z.string(), end_time: z.string() })
    .optional(),
  block_public_connections: z.boolean().optional(),
  block_vpc_connections: z.boolean().optional(),
  hipaa: z.boolean().optional(),
});
type SettingsChange = z.output<typeof settingsChange>;

/** The settings of a new project, as Neon reports them. */
export function newSettings(): Settings {
  return {
    allowed_ips: { ips: [], protected_branches_only: false },
    enable_logical_replication: false,
    maintenance_window: { weekdays: [5], start_time: "07:00", end_time: "08:00" },
    block_public_connections: false,
    block_vpc_connections: false,
    hipaa: false,
  };
}

/**
 * The settings after a change. A setting that the change does not name stays. A setting that it names is replaced as a
 * whole: an `allowed_ips` without `ips` empties the list, as users of a Terraform provider have experienced.
 *
 * @throws ApiError 400 if the change turns logical replication off
 */
export function changeSettings(settings: Settings, change: SettingsChange): Settings {
  if (change.enable_logical_replication === false && settings.enable_logical_replication)
    throw new ApiError(400, "logical replication cannot be disabled once it has been enabled");
  const { allowed_ips, ...named } = change;
  return {
    ...settings,
    ...named,
    allowed_ips:
      allowed_ips === undefined
        ? settings.allowed_ips
        : {
            ips: allowed_ips.ips ?? [],
            protected_branches_only: allowed_ips.protected_branches_only ?? false,
          },
  };
}
