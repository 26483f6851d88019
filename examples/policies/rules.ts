/*
 * The rules as pure functions over what a program declares. Each returns its complaints, as sentences that say what to do.
 * index.ts makes a policy pack of them.
 */

/** A resource as a program declares it, after the provider has checked it: with all defaults. */
export interface Declared {
  /** Type token, e.g. `neon-bemi:index:Publication`. */
  readonly type: string;
  readonly name: string;
  readonly props: Readonly<Record<string, unknown>>;
  /** Whether Pulumi refuses to delete it. A component hands this option on to its resources. */
  readonly protect: boolean;
}

const PREFIX = "neon-bemi:index:";

/** The kinds whose removal ends the trail, or loses changes that Bemi has not read yet. */
const PRECIOUS = ["ReplicationRole", "ApiRole", "ReplicaIdentity", "Publication", "ReplicationSlot"];

/**
 * Whether a stack is one of those in production.
 *
 * @param pattern regular expression over names of stacks, e.g. `^prod`
 */
export function isProduction(stack: string, pattern: string): boolean {
  return new RegExp(pattern).test(stack);
}

/** Name of the kind, e.g. `Publication`; `undefined` for a resource of another package. */
function kindOf({ type }: Declared): string | undefined {
  return type.startsWith(PREFIX) ? type.slice(PREFIX.length) : undefined;
}

/** A role that is made through Neon's API is a member of neon_superuser: whoever has its password can write every table. */
export function noApiRole(declared: Declared): string[] {
  if (kindOf(declared) !== "ApiRole") return [];
  return [
    `Role ${text(declared.props["name"])} is made through Neon's API, so it can write to every table. Use role.createdBy: "sql".`,
  ];
}

/** What ends a trail must be a decision of its own: first take the protection away, then destroy. */
export function isProtected(declared: Declared): string[] {
  const kind = kindOf(declared);
  if (kind === undefined || !PRECIOUS.includes(kind) || declared.protect) return [];
  return [`${kind} ${declared.name} is not protected. Give the trail the resource option protect: true.`];
}

/**
 * With `restrictOpenProject`, only the listed addresses can connect afterwards: the application is locked out unless its
 * addresses are on the list too.
 *
 * @param reviewed ids of the projects for which somebody has looked at that
 */
export function openProjectIsReviewed(declared: Declared, reviewed: readonly string[]): string[] {
  if (kindOf(declared) !== "IpAllow" || declared.props["restrictOpenProject"] !== true) return [];
  const project = text(declared.props["projectId"]);
  if (reviewed.includes(project)) return [];
  return [
    `restrictOpenProject locks everybody out of project ${project} who is not on its IP Allow list. Have it reviewed, and add the project to reviewedProjects of this policy.`,
  ];
}

/** Every project with a trail restricts who can connect, and stays restricted when the trail goes. */
export function hasAllowList(all: readonly Declared[]): string[] {
  const lists = all.filter((declared) => kindOf(declared) === "IpAllow");
  const projects = new Set(
    all.flatMap((declared) =>
      kindOf(declared) === "Publication" ? [text(declared.props["projectId"])] : [],
    ),
  );
  const open = [...projects].filter(
    (project) => !lists.some(({ props }) => text(props["projectId"]) === project),
  );
  const opened = lists.flatMap(({ props }) =>
    props["openRestrictedProject"] === true ? [text(props["projectId"])] : [],
  );
  return [
    ...open.map(
      (project) => `The trail of project ${project} leaves its IP Allow list alone. Give it allowedIps.`,
    ),
    ...opened.map(
      (project) => `openRestrictedProject lets a destroy open project ${project} to everyone. Leave it out.`,
    ),
  ];
}

/**
 * Tables that must not leave the database, by patterns such as `auth.*` or `public.*_token`. A publication of a whole
 * schema is judged by what the program says: its tables are known to the database only.
 */
export function leavesOut(declared: Declared, patterns: readonly string[]): string[] {
  if (kindOf(declared) !== "Publication") return [];
  const { schemas, tables, allTables, excludeTables } = declared.props;
  const [tracked, excluded] = [textsIn(tables), textsIn(excludeTables)];
  if (tables !== undefined)
    return tracked
      .filter((table) => !excluded.includes(table) && patterns.some((pattern) => fits(pattern, table)))
      .map((table) => `${table} must not be tracked. Take it out of tables.`);
  return patterns.flatMap((pattern) => {
    const [schema = "", name = ""] = pattern.split(".");
    const selected = allTables === true || textsIn(schemas).some((each) => fits(schema, each));
    if (!selected || excluded.includes(pattern)) return [];
    const way = name.includes("*") ? "Name the tables to track in tables." : `Add it to excludeTables.`;
    return [
      `${pattern} must not be tracked, and ${schemaText(allTables, schema)} is tracked as a whole. ${way}`,
    ];
  });
}

function schemaText(allTables: unknown, schema: string): string {
  return allTables === true ? "the database" : `schema ${schema}`;
}

/** Whether a name is one that a pattern with `*` stands for. */
function fits(pattern: string, name: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(name);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "(not known yet)";
}

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}
