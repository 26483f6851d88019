import * as z from "zod";
import type { NeonBranch, NeonDatabase, NeonEndpoint, NeonProject, NeonRole } from "../../contract/neonApi";

/*
 * The fields of Neon's answers that this module reads. Other fields are ignored, and enums are plain strings, because
 * Neon adds fields and enum values without notice.
 */

/** An id of a project, branch, compute or operation, as Neon's API document gives its form. It becomes part of paths. */
const id = z.string().regex(/^[a-z0-9-]{1,60}$/);

/** Longest text of a time that is taken, in characters. */
const LONGEST_TIME = 40;

/** A host name with or without a port. */
const host = z.string().regex(/^[\w.:[\]-]{1,300}$/);

/** Work that Neon does in the background after it has answered a mutation. */
const operation = z.object({
  id,
  action: z.string(),
  status: z.string(),
  error: z.string().nullish(),
  failures_count: z.number().nullish(),
});
export type Operation = z.infer<typeof operation>;

/** The operations that a mutation started. An answer with status 204 lists none. */
export const operations = z.object({ operations: z.array(operation).optional() });
export const oneOperation = z.object({ operation });
export const operationPage = z.object({
  operations: z.array(operation),
  pagination: z.object({ cursor: z.string().optional() }).optional(),
});

export const project = z
  .object({
    project: z.object({
      id,
      store_passwords: z.boolean().optional(),
      owner: z.object({ branches_limit: z.number().nullish() }).nullish(),
      settings: z
        .object({
          enable_logical_replication: z.boolean().nullish(),
          block_public_connections: z.boolean().nullish(),
          allowed_ips: z
            .object({ ips: z.array(z.string()).nullish(), protected_branches_only: z.boolean().nullish() })
            .nullish(),
        })
        .nullish(),
    }),
  })
  .transform(({ project: { id: projectId, store_passwords, settings, owner } }): NeonProject => ({
    id: projectId,
    storePasswords: store_passwords ?? true,
    logicalReplication: settings?.enable_logical_replication ?? false,
    blockPublicConnections: settings?.block_public_connections ?? false,
    allowedIps: {
      ips: settings?.allowed_ips?.ips ?? [],
      protectedBranchesOnly: settings?.allowed_ips?.protected_branches_only ?? false,
    },
    ...(owner?.branches_limit ? { branchesLimit: owner.branches_limit } : {}),
  }));

const branch = z.object({
  id,
  name: z.string(),
  default: z.boolean().optional(),
  protected: z.boolean().optional(),
  parent_id: id.nullish(),
  created_at: z.string().max(LONGEST_TIME).nullish(),
  expires_at: z.string().max(LONGEST_TIME).nullish(),
});
/** Beside the branch, not in it. */
const annotation = z.object({ value: z.record(z.string(), z.string()) });

function asBranch(found: z.infer<typeof branch>, noted?: z.infer<typeof annotation>): NeonBranch {
  const { parent_id: parentId, created_at: createdAt, expires_at: expiresAt } = found;
  return {
    id: found.id,
    name: found.name,
    isDefault: found.default === true,
    isProtected: found.protected === true,
    ...(parentId ? { parentId } : {}),
    ...(createdAt ? { createdAt } : {}),
    ...(expiresAt ? { expiresAt } : {}),
    annotation: noted?.value ?? {},
  };
}

export const oneBranch = z
  .object({ branch, annotation: annotation.nullish() })
  .transform(({ branch: found, annotation: noted }) => ({ branch: asBranch(found, noted ?? undefined) }));
export const branchPage = z
  .object({
    branches: z.array(branch),
    annotations: z.record(z.string(), annotation).nullish(),
    pagination: z.object({ next: z.string().optional() }).optional(),
  })
  .transform(({ branches, annotations, pagination }) => ({
    branches: branches.map((found) => asBranch(found, annotations?.[found.id])),
    pagination,
  }));

export const endpoints = z.object({
  endpoints: z.array(
    z
      .object({ id, host, type: z.string(), disabled: z.boolean().optional() })
      .transform(({ type, disabled, ...found }): NeonEndpoint => ({
        ...found,
        readWrite: type === "read_write",
        disabled: disabled === true,
      })),
  ),
});

export const databases = z.object({
  databases: z.array(
    z
      .object({ name: z.string(), owner_name: z.string() })
      .transform(({ name, owner_name }): NeonDatabase => ({ name, owner: owner_name })),
  ),
});

const roleFields = z.object({
  name: z.string(),
  created_at: z.string().optional(),
  authentication_method: z.string().optional(),
});
export const oneRole = z
  .object({ role: roleFields })
  .transform(({ role: { name, created_at, authentication_method } }): NeonRole => ({
    name,
    ...(created_at === undefined ? {} : { createdAt: created_at }),
    hasPassword: authentication_method === undefined || authentication_method === "password",
  }));

/** A password that a role can log in with. */
const usable = z.string().min(1).max(1_000);

/** A role with its password. Only the answers to creating a role and to resetting its password hold one. */
export const roleWithPassword = z.object({
  role: z.object({
    name: z.string().optional(),
    password: usable,
    created_at: z.string().optional().catch(undefined),
  }),
});
export const password = z.object({ password: usable });
export const connectionUri = z.object({ uri: z.string().min(1).max(4_000) });
