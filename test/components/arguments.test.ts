import * as pulumi from "@pulumi/pulumi";
import { BemiAuditTrail, IpAllow, LogicalReplication, Provider, Publication } from "../../components";

/*
 * Programs in plain JavaScript give whatever they give, so these tests do too: `as never` takes the types away.
 */

const registered: string[] = [];

beforeAll(async () => {
  await pulumi.runtime.setMocks({
    newResource: ({ name, inputs }) => {
      registered.push(name);
      return { id: name, state: inputs as Record<string, unknown> };
    },
    call: () => ({}),
  });
});

afterAll(async () => {
  await pulumi.runtime.disconnect();
});

/** What the program's error says, line by line; Pulumi shows a `RunError` by its message alone. */
function saidBy(declare: () => unknown): string[] {
  try {
    declare();
  } catch (error) {
    expect(pulumi.RunError.isInstance(error)).toBe(true);
    return (error as Error).message.split("\n");
  }
  return [];
}

function trail(args: unknown): string[] {
  return saidBy(() => new BemiAuditTrail("orders", args as never));
}

const target = { projectId: "cool-darkness-123456", database: "neondb" };
const later = pulumi.output("later");

test("every mistake is one line, in the user's argument names, and nothing is registered", async () => {
  const { database, ...rest } = { ...target, database: undefined };
  expect(
    trail({
      ...rest,
      database,
      table: ["public.orders"],
      schemas: [],
      slot: "My Slot",
      adopt: "yes",
      role: { name: "pg_bemi", createBy: "sql" },
    }),
  ).toEqual([
    'The arguments of BemiAuditTrail "orders" need attention:',
    "  - database is required: the name of the database, e.g. neondb",
    "  - schemas must not be an empty list",
    "  - role.name is reserved by PostgreSQL or Neon",
    "  - role.createBy is not an argument. Did you mean role.createdBy?",
    "  - slot must be 1 to 63 lower-case letters, digits or underscores: consumers such as Debezium misread other names",
    "  - adopt must be true or false",
    "  - table is not an argument. Did you mean tables?",
  ]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(registered).toEqual([]);
});

test("a program without arguments is told which ones are required", () => {
  expect(trail(undefined).slice(1)).toEqual([
    expect.stringMatching(/^ {2}- projectId is required/),
    expect.stringMatching(/^ {2}- database is required/),
  ]);
});

test("selections that exclude each other are said by their names, also beside unknown values", () => {
  const both = { schemas: ["public"], tables: ["public.orders"] };
  const line = "  - schemas and tables exclude each other: give one of them";
  expect(trail({ ...target, ...both }).slice(1)).toEqual([line]);
  expect(trail({ ...target, ...both, projectId: later }).slice(1)).toEqual([line]);
  expect(saidBy(() => new Publication("p", { ...target, ...both, branch: later } as never)).slice(1)).toEqual(
    [line],
  );
});

test("a kind of its own needs a selection", () => {
  expect(saidBy(() => new Publication("p", target as never))).toEqual([
    'The arguments of Publication "p" need attention:',
    "  - give exactly one of schemas, tables and allTables",
  ]);
});

test("outputs and promises are not known yet, wherever they stand; what stands beside them is checked", () => {
  const args = {
    projectId: later,
    database: Promise.resolve("neondb"),
    branch: "",
    schemas: [later, ""],
    tabels: later,
    role: { name: later },
    allowedIps: later,
  };
  expect(trail(args).slice(1)).toEqual([
    "  - branch must not be empty",
    "  - schemas[1] must not be empty",
    "  - tabels is not an argument. Did you mean tables?",
  ]);
});

test.each([
  ["readAccess", { readAccess: pulumi.output(true) }],
  ["role.createdBy", { role: { createdBy: Promise.resolve("api") } }],
  ["role", { role: pulumi.output({ createdBy: "api" }) }],
])("%s must be known, because it decides which resources there are", (path, args) => {
  expect(trail({ ...target, ...args }).slice(1)).toEqual([
    `  - ${path} must be a plain value, not an output or a promise: it decides which resources there are`,
  ]);
});

test("what a resource fills in is no argument", () => {
  const args = { ...target, schemas: ["public"], managedBy: "shop/production/orders" };
  expect(saidBy(() => new Publication("p", args as never)).slice(1)).toEqual([
    "  - managedBy is not an argument",
  ]);
});

test("the provider's configuration is checked too", () => {
  expect(saidBy(() => new Provider("other", { apiUrl: "neon", apiKey: "" }))).toEqual([
    'The arguments of Provider "other" need attention:',
    "  - apiKey must not be empty",
    "  - apiUrl must be a URL",
  ]);
});

/*
 * What the compiler refuses. Nothing of it runs: `npm run typecheck` fails where one of the lines below is accepted.
 */
export function refusedByTheCompiler(list: pulumi.Output<string[]>, flag: pulumi.Output<boolean>): void {
  new BemiAuditTrail("a", { ...target, allowedIps: list, tables: list, trackNewTables: flag });
  new BemiAuditTrail("a", { ...target, schemas: ["public"], tables: undefined });
  new IpAllow("a", { projectId: "p", ips: list });
  new LogicalReplication("a", target);
  // @ts-expect-error -- they exclude each other
  new BemiAuditTrail("a", { ...target, schemas: ["public"], tables: ["public.orders"] });
  // @ts-expect-error -- they exclude each other
  new BemiAuditTrail("a", { ...target, allTables: true, tables: list });
  // @ts-expect-error -- no such argument
  new BemiAuditTrail("a", { ...target, table: ["public.orders"] });
  // @ts-expect-error -- must be known when the program runs
  new BemiAuditTrail("a", { ...target, readAccess: flag });
  // @ts-expect-error -- a selection is required
  new Publication("a", target);
  // @ts-expect-error -- they exclude each other
  new Publication("a", { ...target, schemas: ["public"], tables: ["public.orders"] });
  // @ts-expect-error -- the database is required
  new Publication("a", { projectId: "p", schemas: ["public"] });
}
