import { UserError } from "../../contract/errors";
import type { NeonSettingsPatch } from "../../contract/neonApi";

type Query = Readonly<Record<string, string | number | boolean | undefined>>;
type Project = readonly ["projects", string];
type Branch = readonly [...Project, "branches", string];
type Role = readonly [...Project, "branches", string, "roles", string];

/**
 * Every request that this module can send. The type has no DELETE or POST of a project, so such a request does not
 * compile. The kind `Branch` alone makes, changes and deletes branches. A new branch always has an annotation, by which
 * the kind recognises its own branches, and is never protected. A path is a list of segments and not a text, so no name of an object can lead to another path (see
 * {@link pathOf}).
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
      readonly path: readonly [...Project, "branches"];
      readonly body: {
        readonly branch: {
          readonly name: string;
          readonly parent_id: string;
          readonly init_source?: "schema-only";
          readonly expires_at?: string;
        };
        readonly endpoints: readonly [{ readonly type: "read_write" }];
        readonly annotation_value: Readonly<Record<string, string>>;
      };
    }
  | {
      readonly method: "PATCH";
      readonly path: Branch;
      readonly body: { readonly branch: { readonly name?: string; readonly expires_at?: string | null } };
    }
  | { readonly method: "DELETE"; readonly path: Branch }
  | {
      readonly method: "POST";
      readonly path: readonly [...Project, "branches", string, "roles"];
      readonly body: { readonly role: { readonly name: string } };
    }
  | { readonly method: "POST"; readonly path: readonly [...Role, "reset_password"] }
  | { readonly method: "POST"; readonly path: readonly [...Project, "endpoints", string, "restart"] }
  | { readonly method: "DELETE"; readonly path: Role };

/**
 * The path of a request, relative to the base URL. URL parsers resolve an empty segment, `.` and `..`: a DELETE of the
 * role `..` would become a DELETE of its branch.
 *
 * @throws UserError for such a segment
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

/** The method and the path with `*` in place of ids and names. Neon's rate limit counts requests per route. */
export function routeOf(request: NeonRequest): string {
  const words = request.path.map((segment, index) => (index % 2 === 0 ? segment : "*"));
  return `${request.method} ${words.join("/")}`;
}
