import type { Catalog } from "../../../provider/contract/catalog";
import { UserError } from "../../../provider/contract/errors";
import type { PreflightInputs } from "../../../provider/contract/kinds/logicalReplication";
import { encodeMark, type Mark } from "../../../provider/postgres/ownership/mark";
import { obstacles } from "../../../provider/postgres/readiness/preflight";
import { describeFindings, preflight } from "../../../provider/postgres/selection/findings";
import { catalogOf, listed, publication, role, slot, table } from "../../support/catalog";

const plan: PreflightInputs = {
  role: "bemi",
  roleCreatedBy: "sql",
  roleManagedBy: "shop/production/trail-role",
  publication: "bemi",
  publicationManagedBy: "shop/production/trail-publication",
  slot: "bemi",
  adopt: false,
};

const made = (managedBy: string): Mark => ({
  projectId: "cool-darkness-123456",
  branchId: "br-a-b-c",
  database: "neondb",
  managedBy,
});

const lines = (catalog: Catalog, changes: Partial<PreflightInputs> = {}) =>
  describeFindings(
    obstacles(catalog, { ...plan, ...(changes.tables ? {} : { schemas: ["public"] }), ...changes }, made),
    "blocking",
  );

test("finds nothing in a database that is ready for a trail", () => {
  expect(lines(catalogOf({ tables: [table("public.orders", { hasPrimaryKey: false })] }))).toEqual([]);
});

test("refuses a table that cannot be published only if it is named", () => {
  const bare = table("public.bare", { hasPrimaryKey: false, listedIn: listed("theirs", true) });
  const catalog = catalogOf({ tables: [bare], publications: [publication("theirs")] });
  expect(lines(catalog)).toEqual([]);
  expect(lines(catalog, { tables: ["public.bare"] })).toEqual([
    expect.stringMatching(/^public.bare cannot be published: it is published with a column list/) as string,
  ]);
});

test("lists the problems of server, role, publication and names at once", () => {
  const catalog = catalogOf({
    version: 150018,
    publications: [publication("bemi")],
    slots: Array.from({ length: 10 }, (_, index) => slot(`s${index}`)),
  });
  expect(lines(catalog, { tables: ["public.nowhere"] })).toEqual([
    expect.stringMatching(/^The server has no free replication slot/) as string,
    expect.stringMatching(
      /^Role "bemi" cannot be made in SQL: before PostgreSQL 16.*createdBy: "api"/,
    ) as string,
    expect.stringMatching(/^Publication "bemi" exists already and was not made by this module/) as string,
    expect.stringMatching(/^public.nowhere is not a table of this database/) as string,
  ]);
});

test("refuses a schema of the module's name of another role, and one with objects of others", () => {
  const schemas = (owner: string) => [
    ...catalogOf().schemas,
    { oid: 7, name: "_bemi", owner, comment: null },
  ];
  expect(lines(catalogOf({ schemas: schemas("neondb_owner") }))).toEqual([]);
  expect(lines(catalogOf({ schemas: schemas("app") }))).toEqual([
    expect.stringMatching(/^The schema _bemi belongs to app, not to neondb_owner: .* drop it\.$/) as string,
  ]);
  const inModuleSchema = [{ kind: "table" as const, name: "mine", owner: "neondb_owner" }];
  expect(lines(catalogOf({ schemas: schemas("neondb_owner"), inModuleSchema }))).toEqual([
    expect.stringMatching(/^The schema _bemi was not made .* it holds table mine\. Rename/) as string,
  ]);
});

test("accepts what this stack has made, and with adopt what others have made", () => {
  const marked = (managedBy: string) => encodeMark(made(managedBy));
  const ownObjects = catalogOf({
    roles: [role("bemi", { comment: marked(plan.roleManagedBy) })],
    publications: [publication("bemi", { comment: marked(plan.publicationManagedBy) })],
  });
  expect(lines(ownObjects)).toEqual([]);
  const foreign = catalogOf({ roles: [role("bemi")], publications: [publication("bemi")] });
  expect(lines(foreign)).toHaveLength(2);
  expect(lines(foreign, { adopt: true })).toEqual([]);
});

test("refuses a role that is to be made through Neon's API and exists, unless it may be used", () => {
  const api = { roleCreatedBy: "api" } as const;
  expect(lines(catalogOf(), api)).toEqual([]);
  const existing = catalogOf({ roles: [role("bemi", { memberOf: ["neon_superuser"] })] });
  expect(lines(existing, api)).toEqual([
    expect.stringMatching(/^Role "bemi" exists already\. Set adopt: true/) as string,
  ]);
  expect(lines(existing, { ...api, adopt: true })).toEqual([]);
  expect(obstacles(existing, { ...plan, schemas: ["public"], ...api }, made, true)).toEqual([]);
  const group = catalogOf({ roles: [role("bemi", { canLogin: false })] });
  expect(lines(group, { ...api, adopt: true })).toEqual([
    expect.stringMatching(/^Role "bemi" exists already, and cannot log in\./) as string,
  ]);
});

test("never adopts what another live trail of this branch has made", () => {
  const comment = encodeMark({ ...made("shop/production/other-role"), id: "0123456789abcdef" });
  const theirs = catalogOf({ roles: [role("bemi", { comment })] });
  expect(lines(theirs, { adopt: true })).toEqual([
    expect.stringMatching(/^Role "bemi" .*made by shop\/production\/other-role .*not adopted/) as string,
  ]);
});

test("leaves it to the resources of a trail in the state to tell their own objects, as after a rename", () => {
  const comment = encodeMark({ ...made("shop/staging/trail-role"), id: "0123456789abcdef" });
  const renamed = catalogOf({
    roles: [role("bemi", { comment })],
    publications: [publication("bemi", { comment })],
  });
  expect(lines(renamed)).toHaveLength(2);
  expect(obstacles(renamed, { ...plan, schemas: ["public"] }, made, true)).toEqual([]);
});

test.each([
  ["api", "in SQL", role("bemi", { comment: encodeMark(made("shop/prod/orders-role")) })],
  ["sql", "through Neon's API", role("bemi", { memberOf: ["neon_superuser"] })],
] as const)(
  "refuses to make the role by %s that was made %s, under its name",
  (roleCreatedBy, was, found) => {
    const catalog = catalogOf({ roles: [found] });
    const findings = (wanted: typeof roleCreatedBy) =>
      obstacles(catalog, { ...plan, schemas: ["public"], roleCreatedBy: wanted }, made, true).map(
        ({ subject, message }) => `${subject} ${message}`,
      );
    expect(findings(roleCreatedBy)).toEqual([expect.stringContaining(`Role "bemi" was made ${was}`)]);
    expect(findings(roleCreatedBy === "api" ? "sql" : "api")).toEqual([]);
  },
);

test("lists everything that blocks at once, tables with the same problem in one line", () => {
  const tables = [
    ...Array.from({ length: 12 }, (_, index) =>
      table(`public.t${String(index + 10)}`, { owner: "boss", mayAlter: false }),
    ),
    table("public.bare", { hasPrimaryKey: false, listedIn: listed("theirs", true) }),
    table("public.keyed", { listedIn: listed("theirs", true) }),
  ];
  const catalog = catalogOf({ tables, publications: [publication("theirs")] });
  const findings = obstacles(catalog, { ...plan, schemas: ["public", "Shop"] }, made);
  expect(() => {
    preflight(findings);
  }).toThrow(UserError);
  expect(describeFindings(findings, "blocking")).toEqual([
    "Shop is not a schema of this database. Did you mean shop? Names are case-sensitive.",
    expect.stringMatching(/^public.t10, .* and 2 more: each is owned by boss/) as string,
  ]);
  expect(() => {
    preflight(findings.filter(({ severity }) => severity !== "blocking"));
  }).not.toThrow();
});
