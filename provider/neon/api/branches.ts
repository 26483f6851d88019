import { isDeepStrictEqual } from "node:util";
import type * as z from "zod";
import type { BranchChange, NeonApi, NeonBranch, NewBranch } from "../../contract/neonApi";
import { assertAbout } from "./answers";
import { UnreadableAnswer } from "./errors";
import { undefinedOn404 } from "./gone";
import { pagesOf } from "./pages";
import type { NeonRequest } from "./requests";
import * as schemas from "./schemas";

/** The largest page that Neon returns, so that one page nearly always holds everything. */
const PAGE = 1_000;

type Read = Extract<NeonRequest, { readonly method: "GET" }>;

/** How the client reads and changes. */
interface Client {
  readonly get: <Schema extends z.ZodType>(
    schema: Schema,
    path: Read["path"],
    query?: Read["query"],
  ) => Promise<z.output<Schema>>;
  /** Sends a mutation and waits for its operations; `happened` looks for its effect while the outcome is unknown. */
  readonly mutate: (request: NeonRequest, happened: () => Promise<boolean>) => Promise<unknown>;
}

/** What the client does with branches. */
export function branchesOf({
  get,
  mutate,
}: Client): Pick<NeonApi, "branches" | "branch" | "createBranch" | "updateBranch" | "deleteBranch"> {
  const api: ReturnType<typeof branchesOf> = {
    branches: async (projectId, search) => {
      const found = [];
      const path = ["projects", projectId, "branches"] as const;
      const pages = pagesOf(`branches of project ${projectId}`, async (cursor) => {
        const { branches, pagination } = await get(schemas.branchPage, path, { search, limit: PAGE, cursor });
        return { items: branches, next: pagination?.next };
      });
      for await (const branches of pages) found.push(...branches);
      return found;
    },

    branch: async (projectId, branchId) => {
      const path = ["projects", projectId, "branches", branchId] as const;
      const found = await undefinedOn404(get(schemas.oneBranch, path));
      if (found !== undefined) assertAbout(branchId, found.branch.id, path);
      return found?.branch;
    },

    createBranch: async (projectId, asked) => {
      const request = createRequest(projectId, asked);
      const made = async (): Promise<NeonBranch | undefined> =>
        (await api.branches(projectId, asked.name)).find((found) => isAsked(found, asked));
      const answer = await mutate(request, async () => (await made()) !== undefined);
      const found = branchIn(answer, asked) ?? (await made());
      if (found === undefined) throw new UnreadableAnswer(request, "it does not show the branch");
      return found;
    },

    updateBranch: async (projectId, branchId, asked) => {
      await mutate(changeRequest(projectId, branchId, asked), async () => {
        const found = await api.branch(projectId, branchId);
        return found !== undefined && isChanged(found, asked);
      });
    },

    deleteBranch: async (projectId, branchId) => {
      const request = { method: "DELETE", path: ["projects", projectId, "branches", branchId] } as const;
      await undefinedOn404(
        mutate(request, async () => (await api.branch(projectId, branchId)) === undefined),
      );
    },
  };
  return api;
}

/** The request that makes a branch with a read-write compute. */
function createRequest(
  projectId: string,
  { name, parentId, schemaOnly, expiresAt, annotation }: NewBranch,
): NeonRequest {
  return {
    method: "POST",
    path: ["projects", projectId, "branches"],
    body: {
      branch: {
        name,
        parent_id: parentId,
        ...(schemaOnly ? ({ init_source: "schema-only" } as const) : {}),
        ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
      },
      endpoints: [{ type: "read_write" }],
      annotation_value: annotation,
    },
  };
}

/** Whether a branch is the one that was asked for: its annotation tells it from another one of the same name. */
function isAsked({ name, annotation }: NeonBranch, asked: NewBranch): boolean {
  return name === asked.name && isDeepStrictEqual({ ...annotation }, { ...asked.annotation });
}

/** The branch in the answer to creating it; `undefined` where it is about another branch, or cannot be read. */
function branchIn(answer: unknown, { name, annotation }: NewBranch): NeonBranch | undefined {
  const { branch } = schemas.oneBranch.safeParse(answer).data ?? {};
  // The answer has no annotation.
  return branch?.name === name ? { ...branch, annotation } : undefined;
}

/** The request that changes a branch. */
function changeRequest(projectId: string, branchId: string, { name, expiresAt }: BranchChange): NeonRequest {
  return {
    method: "PATCH",
    path: ["projects", projectId, "branches", branchId],
    body: {
      branch: {
        ...(name === undefined ? {} : { name }),
        ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
      },
    },
  };
}

/** Whether a branch is as the change asks for. */
function isChanged(branch: NeonBranch, { name, expiresAt }: BranchChange): boolean {
  if (name !== undefined && branch.name !== name) return false;
  return expiresAt === undefined || timeOf(branch.expiresAt) === timeOf(expiresAt);
}

/** A time in milliseconds since 1970, as one time can be written in several ways; 0: none. */
function timeOf(text: string | null | undefined): number {
  return text ? Date.parse(text) : 0;
}
