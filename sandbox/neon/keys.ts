import { ApiError } from "./errors";
import { newApiKey } from "./names";

/** The emulator's API keys, by what they permit. */
export interface Keys {
  /** Everything, like the key of an organization's admin. */
  readonly main: string;
  /** GET requests only. */
  readonly readOnly: string;
  /** Everything within the first project, except deleting it. */
  readonly project: string;
}

export type KeyKind = keyof Keys;

export function newKeys(): Keys {
  return { main: newApiKey(), readOnly: newApiKey(), project: newApiKey() };
}

/**
 * The kind of the key in the `Authorization` header.
 *
 * @throws ApiError 401 if there is no valid key
 */
export function authenticate(keys: Keys, authorization: string | undefined): KeyKind {
  const token = /^Bearer (\S+)$/i.exec(authorization ?? "")?.[1];
  const kinds: KeyKind[] = ["main", "readOnly", "project"];
  const kind = kinds.find((candidate) => keys[candidate] === token);
  if (kind === undefined) throw new ApiError(401, "supplied credentials do not pass authentication");
  return kind;
}

/** Routes outside its project that a project-scoped key may use: they show its project and its organization. */
const OPEN_TO_PROJECT_KEY = new Set(["GET /projects", "GET /projects/shared", "GET /users/me/organizations"]);

/**
 * Checks that a key may use a route.
 *
 * @param route template of the path, e.g. `/projects/{project_id}`
 * @param project the project in the path, and the project of the project-scoped key
 * @throws ApiError 403 if it may not
 */
export function authorize(
  kind: KeyKind,
  method: string,
  route: string,
  project: { readonly asked?: string; readonly ofKey: string | undefined },
): void {
  if (kind === "readOnly" && method !== "GET")
    throw new ApiError(403, "this API key is read-only and may not change anything");
  if (kind !== "project") return;
  if (project.asked === undefined && !OPEN_TO_PROJECT_KEY.has(`${method} ${route}`))
    throw new ApiError(403, "this API key is scoped to a project and may not do this");
  if (project.asked !== undefined && project.asked !== project.ofKey)
    throw new ApiError(403, "this API key is scoped to another project");
  if (method === "DELETE" && route === "/projects/{project_id}")
    throw new ApiError(403, "this API key is scoped to a project and may not delete it");
}
