import { UserError } from "../contract/errors";
import type { NeonSettingsPatch } from "../contract/neonApi";

type Query = Readonly<Record<string, string | number | boolean | undefined>>;
type Project = readonly ["projects", string];
type Role = readonly [...Project, "branches", string, "roles", string];

/**
 * Every request this module can send. There is no DELETE or POST on a project or a branch here, so nothing can send
 * one; paths are segments, not text, so no name of an object can lead to another path (see {@link pathOf}).
 */
export type NeonRequest =
  | { readonly method: "GET"; readonly path: readonly [...Project, ...string[]]; readonly query?: Query }
  | {
      readonly method: "PATCH";
      readonly path: Project;
      readonly body: { readonly project: { readonly settings: NeonSettingsPatch } };
    }
  | {
      readonly method: "POST";
      readonly path: readonly [...Project, "branches", string, "roles"];
      readonly body: { readonly role: { readonly name: string } };
    }
  | { readonly method: "POST"; readonly path: readonly [...Role, "reset_password"] }
  | { readonly method: "POST"; readonly path: readonly [...Project, "endpoints", string, "restart"] }
  | { readonly method: "DELETE"; readonly path: Role };

/**
 * The path of a request. An empty segment, `.` or `..` is refused: URL parsers resolve those, which would make a
 * DELETE of the role `..` one of its branch.
 */
export function pathOf(request: NeonRequest): string {
  return request.path
    .map((segment) => {
      if (segment === "" || segment === "." || segment === "..")
        throw new UserError(
          `"${segment}" cannot be the name of anything in Neon's API; choose another name.`,
        );
      return `/${encodeURIComponent(segment)}`;
    })
    .join("");
}

/** What Neon counts requests by: the method and the path without the ids and names in it. */
export function routeOf(request: NeonRequest): string {
  const words = request.path.map((segment, index) => (index % 2 === 0 ? segment : "*"));
  return `${request.method} ${words.join("/")}`;
}
