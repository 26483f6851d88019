import { Claims } from "../../../provider/contract/claims";
import type { PreflightInputs } from "../../../provider/contract/kinds/logicalReplication";
import type { Session } from "../../../provider/contract/session";
import { claimFindings } from "../../../provider/postgres/readiness/preflight";

/** What a trail of that name is going to make, in the default names. */
function plan(trail: string, names: Partial<PreflightInputs> = {}): PreflightInputs {
  return {
    role: "bemi",
    roleCreatedBy: "sql",
    roleManagedBy: `shop/production/${trail}-role`,
    publication: "bemi",
    publicationManagedBy: `shop/production/${trail}-publication`,
    slot: "bemi",
    adopt: false,
    ...names,
  };
}

function target(database: string, branchId = "br-a-b-c"): Session["target"] {
  return {
    projectId: "cool-darkness-123456",
    branchId,
    branchName: "main",
    branchIsDefault: true,
    endpointId: "ep-a-b-c",
    host: "ep-a-b-c.neon.tech",
    database: { name: database, owner: "neondb_owner" },
  };
}

test("two trails on databases of one branch must not want the same role and slot", () => {
  const claims = new Claims();
  expect(claimFindings(target("orders"), plan("orders"), claims)).toEqual([]);
  const findings = claimFindings(target("billing"), plan("billing"), claims);
  const wanted =
    "is wanted by two trails, shop/production/orders (database orders) and shop/production/billing (database billing).";
  expect(findings.map(({ subject, message, remedy }) => `${subject} ${message} ${remedy}`)).toEqual([
    `Role "bemi" ${wanted} All databases of a branch share its roles. Give one of the trails another role.name.`,
    `Slot "bemi" ${wanted} A slot belongs to one database, and its name exists once per branch. Give one of the trails another slot.`,
  ]);
});

test("two trails on one database must not want the same publication either", () => {
  const claims = new Claims();
  claimFindings(target("orders"), plan("orders"), claims);
  const findings = claimFindings(target("orders"), plan("again"), claims);
  expect(findings.map(({ subject }) => subject)).toEqual([
    'Role "bemi"',
    'Slot "bemi"',
    'Publication "bemi"',
  ]);
});

test("trails on other branches, with other names, or asked for again are no obstacle", () => {
  const claims = new Claims();
  for (const [where, what] of [
    [target("orders"), plan("orders")],
    [target("orders"), plan("orders")],
    [target("orders", "br-x-y-z"), plan("staging")],
    [target("billing"), plan("billing", { role: "bemi_billing", slot: "bemi_billing" })],
  ] as const)
    expect(claimFindings(where, what, claims)).toEqual([]);
});
