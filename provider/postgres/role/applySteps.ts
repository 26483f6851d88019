import type { Catalog, RoleFacts } from "../../contract/catalog";
import type { RoleStep } from "./plan";
import { ATTRIBUTES, READ_ONLY } from "./statement";

/** The catalog as it will be after the steps. A role that is made has the oid 0. */
export function applySteps(catalog: Catalog, steps: readonly RoleStep[]): Catalog {
  const { currentRole } = catalog.server;
  return {
    ...catalog,
    roles: steps.reduce((roles, step) => applyStep(roles, step, currentRole), catalog.roles),
  };
}

function applyStep(roles: readonly RoleFacts[], step: RoleStep, maker: string): readonly RoleFacts[] {
  const changed = (change: (role: RoleFacts) => Partial<RoleFacts>): RoleFacts[] =>
    roles.map((role) => (role.name === step.role ? { ...role, ...change(role) } : role));
  switch (step.step) {
    case "create role":
      return [...roles, made(step.role, step.mark, maker)];
    case "alter role": {
      const { attributes, readOnly, connect, leave, mark } = step.settings;
      return changed((role) => ({
        ...attributes.reduce((restored, option) => ({ ...restored, ...restoredBy(option) }), {}),
        settings: readOnly ? [...role.settings, READ_ONLY] : role.settings,
        memberOf: role.memberOf.filter((name) => !leave.includes(name)),
        mayConnect: role.mayConnect || connect,
        comment: mark ?? role.comment,
      }));
    }
    case "disable login":
      return changed(() => ({ canLogin: false }));
    case "drop role":
      return roles.filter(({ name }) => name !== step.role);
    case "revoke membership":
    case "set password":
    case "keep role":
      return roles;
  }
}

/** What an option of ALTER ROLE sets. */
function restoredBy(option: string): Partial<RoleFacts> {
  const found = Object.entries(ATTRIBUTES).find(([, [, restores]]) => restores === option);
  return found === undefined ? {} : { [found[0]]: found[1][0] };
}

function made(name: string, comment: string, maker: string): RoleFacts {
  return {
    oid: 0,
    name,
    canLogin: true,
    replication: true,
    superuser: false,
    createRole: false,
    createDb: false,
    bypassRls: false,
    inherit: true,
    connectionLimit: -1,
    validUntil: null,
    settings: [READ_ONLY],
    comment,
    memberOf: [],
    makers: [maker],
    mayConnect: true,
  };
}
