import { ROLE_BY_API } from "../support/trailRole";

/** In what the user makes the mistake: this repository's program, or a program of their own. */
export type Program = "repository" | "javascript" | "typescript";

/** A mistake that a user is likely to make, and what is said of it. */
export interface Mistake {
  /** What is reported, with the row in the list of likely mistakes. */
  readonly title: string;
  readonly program: Program;
  /** Default: `preview`. */
  readonly command?: "up";
  /** Keys of the stack's configuration, besides the least that the repository's program must be told. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** What the program declares, with `target` for project and database. */
  readonly declares?: string;
  readonly env?: (sandbox: { readonly apiKey: string }) => Readonly<Record<string, string>>;
  /** The host that the API answers with in connection URIs. */
  readonly host?: string;
  /** The one error. */
  readonly says: RegExp;
  /** The lines of its list, each for one mistake. */
  readonly lines?: readonly RegExp[];
}

/** A trail with other arguments than the least. */
function trail(args: string): string {
  return `BemiAuditTrail("trail", { ...target, ${args} })`;
}

/** Configuration that names tables in place of schemas. */
function tables(...names: string[]): Readonly<Record<string, unknown>> {
  return { schemas: undefined, tables: names };
}

/** Several settings that are wrong by themselves are reported at once, a line each. */
const CONFIGURATION: readonly Mistake[] = [
  {
    title: "every wrong setting at once, a line each (rows 4, 7, 15, 16, 17 and 18)",
    program: "repository",
    config: {
      projectId: "Not A Project",
      environment: "production",
      allowedIps: ["bemi.example.com", "203.0.113.0/33", "203.0.113.9-203.0.113.7"],
      slot: "Bemi",
      publication: "Bemi",
      schemas: "public",
      trackNewTables: "yes",
      role: "bemi",
      shcemas: ["public"],
      projectID: "x",
    },
    says: /^error: The stack's configuration needs attention:/,
    lines: [
      /^projectId must be a Neon id/,
      /^environment must be Production, .* set environment Production$/,
      /^allowedIps\[0\] "bemi\.e.*" is not/,
      /^allowedIps\[1\] "203\.0\.113\.0\/33" has a prefix that is not 0 to 32/,
      /^allowedIps\[2\] .* is a range whose end lies before its beginning/,
      /^slot must be 1 to 63 lower-case/,
      /^publication must be 1 to 63 lower-case/,
      /^schemas must be a list.*--path 'schemas\[0\]'/,
      /^trackNewTables must be true or false/,
      /^role must be an object such as/,
      /^shcemas is not a key.*did you mean schemas\?/,
      /^projectID is not a key.*did you mean projectId\?/,
    ],
  },
  {
    title: "what is missing, empty or in another namespace at once (rows 10, 15, 19 and 26)",
    program: "repository",
    config: {
      ...tables("orders"),
      allowedIps: [],
      database: undefined,
      "neon-bemi:branch": "x",
      projectId: undefined,
      "other:projectId": "cool-darkness-123456",
    },
    says: /^error: The stack's configuration needs attention:/,
    lines: [
      /^tables\[0\] must be a table name with its/,
      /^allowedIps must not be an empty list/,
      /^database is required/,
      /^neon-bemi:branch is not a.* mean branch\?/,
      /^other:projectId belongs to the project other\. Did you mean projectId\?/,
    ],
  },
];

type Row = readonly [title: string, given: Readonly<Record<string, unknown>>, says: RegExp];

/** Settings that only a look at the account and the database can find wrong, or that exclude each other. */
const SETTINGS: readonly Row[] = [
  ["an unknown project (row 4)", { projectId: "no-such-project" }, /no-such-project.*Check projectId/],
  [
    "an unknown database (row 5)",
    { database: "neonbd" },
    /no database "neonbd"\. Its databases: neondb\. Did you/,
  ],
  ["an unknown branch (row 6)", { branch: "dev" }, /has no branch "dev"\. Its branches: main\./],
  ["tables beside schemas (row 8)", { tables: ["public.orders"] }, /schemas and tables exclude each other/],
  [
    "a typo in a table, a table in upper case (rows 9 and 11)",
    tables("public.ordes", "public.Products"),
    /public\.ordes is not a table.*Did you mean public\.orders\?.*Did you mean public\.products\?/,
  ],
  [
    "a schema in upper case (row 11)",
    { schemas: ["Public"] },
    /Public is not a schema.*Did you mean public\?/,
  ],
  [
    "an address for an open project, which is named once if it is given twice (row 15)",
    { allowedIps: ["203.0.113.7", "203.0.113.7"] },
    /is empty.*With only 203\.0\.113\.7 on it.*restrictOpenProject: true/,
  ],
];

/** A role that SQL is to make on a server where it cannot: also an up without a preview turns nothing on before it says so. */
const SQL_ROLE: readonly Mistake[] = ([undefined, "up"] as const).map((command) => ({
  title: "a role that SQL cannot make before PostgreSQL 16",
  program: "repository",
  ...(command === undefined ? {} : { command }),
  config: { role: { createdBy: "sql" } },
  says: /Role "bemi" cannot be made in SQL: before PostgreSQL 16 .* role\.createdBy: "api"/,
}));

/** Environments in which a preview finds a mistake. */
const ENVIRONMENTS: readonly (readonly [title: string, env: NonNullable<Mistake["env"]>, says: RegExp])[] = [
  [
    "a wrong API key (row 1)",
    () => ({ NEON_API_KEY: "napi_wrong" }),
    /401.*API key is missing, invalid or revoked/,
  ],
  ["a key with quotes (row 1)", ({ apiKey }) => ({ NEON_API_KEY: `"${apiKey}"` }), /401.*NEON_API_KEY/],
  ["a missing API key (row 2)", () => ({ NEON_API_KEY: "" }), /There is no Neon API key\. Set NEON_API_KEY/],
  [
    "an API that cannot be reached (row 25)",
    () => ({ NEON_API_URL: "http://127.0.0.1:9/api/v2" }),
    /Neon's API at http:\/\/127\.0\.0\.1:9\/.* cannot be reached.*NEON_API_URL/,
  ],
  [
    "a proxy that cannot be reached (row 25)",
    // For an API on this machine, no proxy is used.
    () => ({
      NEON_API_URL: "https://neon.example/api/v2",
      HTTPS_PROXY: "http://127.0.0.1:9",
      NO_PROXY: "localhost,127.0.0.1",
    }),
    /Neon's API at https:\/\/neon\.example\/.* cannot be reached/,
  ],
  [
    "a certificate that cannot be verified",
    () => ({ PGSSLROOTCERT: "" }),
    /TLS connection to localhost:\d+ cannot be trusted.*PGSSLROOTCERT/,
  ],
];

const HOSTS: readonly (readonly [title: string, host: string, says: RegExp])[] = [
  ["a pooled host", "ep-cool-darkness-123456-pooler.localhost:5432", /is the connection pooler.*direct host/],
  ["a port on which nothing listens", "localhost:9", /localhost:9/],
];

/** What an up reports without a preview, just as early. */
const UP: readonly Mistake[] = [
  {
    title: "a wrong API key (row 1)",
    program: "repository",
    env: () => ({ NEON_API_KEY: "napi_wrong" }),
    says: /401.*API key is missing/,
  },
  {
    title: "an unknown database (row 5)",
    program: "repository",
    config: { database: "neonbd" },
    says: /no database "neonbd"/,
  },
  {
    title: "a typo in a table (row 9)",
    program: "repository",
    config: tables("public.ordes"),
    says: /public\.ordes is not a table/,
  },
  {
    title: "a typo in a table (row 9)",
    program: "javascript",
    declares: trail(`tables: ["public.ordes"]`),
    says: /Did you mean public\.orders\?/,
  },
];

/** Declarations in which a preview finds a mistake. No compiler has looked at plain JavaScript. */
const DECLARATIONS: readonly (readonly [Program, title: string, declares: string, says: RegExp])[] = [
  [
    "javascript",
    "tables beside schemas (row 8)",
    trail(`schemas: ["public"], tables: ["public.a"]`),
    /exclude each other/,
  ],
  [
    "javascript",
    "a typo in a table (row 9)",
    trail(`tables: ["public.ordes"]`),
    /Did you mean public\.orders\?/,
  ],
  [
    "javascript",
    "an undefined database (row 27)",
    trail(`database: process.env.NO_SUCH`),
    /- database is required/,
  ],
  [
    "javascript",
    "a host name as address, a slot in upper case, an unknown key (rows 15, 16 and 18)",
    trail(`allowedIps: ["a.example.com"], slot: "Bemi", table: ["public.orders"]`),
    /- slot must be 1 to 63.* - allowedIps\[0\] .*is not.* - table is not an argument\. Did you mean tables\?/,
  ],
  [
    "javascript",
    "an unknown key of a single resource (row 18)",
    `Publication("trail", { ...target, schemas: ["public"], tabels: ["public.orders"] })`,
    /tabels is not an argument.*mean tables\?/,
  ],
  [
    "typescript",
    "a typo in a table (row 9)",
    trail(`tables: ["public.ordes"]`),
    /Did you mean public\.orders\?/,
  ],
  [
    "typescript",
    "an address that is none, a name in upper case (rows 15 and 16)",
    trail(`allowedIps: ["203.0.113.0/33"], publication: "Bemi"`),
    /- publication must be 1 to 63.* - allowedIps\[0\] "203\.0\.113\.0\/33" has a prefix/,
  ],
];

/** Every mistake that needs nothing special in the database. */
export const MISTAKES: readonly Mistake[] = [
  ...CONFIGURATION,
  ...SETTINGS.map(([title, config, says]): Mistake => ({ title, program: "repository", config, says })),
  ...ENVIRONMENTS.map(([title, env, says]): Mistake => ({ title, program: "repository", env, says })),
  ...HOSTS.map(([title, host, says]): Mistake => ({ title, program: "repository", host, says })),
  ...(ROLE_BY_API ? SQL_ROLE : []),
  ...UP.map((mistake): Mistake => ({ ...mistake, command: "up" })),
  ...DECLARATIONS.map(([program, title, declares, says]): Mistake => ({ title, program, declares, says })),
];

/** What the TypeScript compiler refuses, with what it says. */
export const REFUSED: readonly (readonly [title: string, declares: string, says: RegExp])[] = [
  [
    "an environment in lower case (row 7)",
    trail(`environment: "production"`),
    /'"production"' is not assignable/,
  ],
  [
    "tables beside schemas (row 8)",
    trail(`schemas: ["public"], tables: ["public.orders"]`),
    /not assignable/,
  ],
  ["schemas as a text (row 17)", trail(`schemas: "public"`), /'string' is not assignable/],
  ["a flag as yes (row 17)", trail(`trackNewTables: "yes"`), /'string' is not assignable/],
  [
    "a role as a text (row 17)",
    trail(`role: "bemi"`),
    /'string' (is not assignable|has no properties in common)/,
  ],
  ["an unknown key (row 18)", trail(`table: ["public.orders"]`), /'table' does not exist/],
  ["no arguments (row 19)", `BemiAuditTrail("trail", {})`, /missing the following properties|not assignable/],
  [
    "an undefined database (row 27)",
    trail(`database: process.env["NO_SUCH"]`),
    /'undefined' is not assignable/,
  ],
];
