import type { Neon } from "../state";
import type { CurrentUser } from "../wire";
import { ok, type Route } from "./route";

/** Fields that are out of use on Neon, but that its OpenAPI document still requires. */
const RETIRED = { login: "sandbox" };

const USER: CurrentUser = {
  ...RETIRED,
  id: "00000000-0000-4000-8000-000000000001",
  email: "sandbox@example.com",
  name: "Sandbox",
  last_name: "User",
  image: "",
  projects_limit: 100,
  branches_limit: 500,
  max_autoscaling_limit: 16,
  active_seconds_limit: 0,
  auth_accounts: [],
  plan: "scale_v3",
};

export function userRoutes(neon: Neon): Route[] {
  return [
    { method: "GET", path: "/users/me", handle: () => ok(USER) },
    {
      method: "GET",
      path: "/users/me/organizations",
      handle: () => ok({ organizations: [neon.organization] }),
    },
  ];
}
