import { z } from "zod";
import type { BemiAuditTrailArgs } from "./components";

/** Namespace of this program's stack configuration. */
export const NAMESPACE = "neon-bemi";

const text = z.string("must be a text").min(1, "must not be empty");
const flag = z.boolean("must be true or false");
const list = z.array(text, "must be a list of texts").min(1, "must not be an empty list");

const schema = z.strictObject({
  projectId: z
    .string("is required: the Neon project's id, e.g. cool-darkness-123456")
    .regex(/^[a-z0-9-]{1,60}$/, "must be a Neon project id: lower-case letters, digits and hyphens"),
  branch: text.optional(),
  database: z.string("is required: the name of the database, e.g. neondb").min(1, "must not be empty"),
  environment: z
    .enum(["Production", "Staging", "Test"], "must be Production, Staging or Test, as in Bemi's dialog")
    .optional(),
  schemas: list.optional(),
  tables: list.optional(),
  allTables: z.literal(true, "can only be true: leave it out, and use schemas or tables").optional(),
  excludeTables: list.optional(),
  trackNewTables: flag.optional(),
  role: z
    .strictObject(
      {
        name: text.optional(),
        createdBy: z.enum(["sql", "api"], 'must be "sql" or "api"').optional(),
        passwordVersion: z.int("must be a whole number").optional(),
      },
      'must be an object such as {"name": "bemi", "createdBy": "sql"}',
    )
    .optional(),
  readAccess: flag.optional(),
  publication: text.optional(),
  slot: text.optional(),
  allowedIps: list.optional(),
  restrictOpenProject: flag.optional(),
  openRestrictedProject: flag.optional(),
  logicalReplication: z.enum(["enable", "require"], 'must be "enable" or "require"').optional(),
  adopt: flag.optional(),
  dropSlotOnDestroy: flag.optional(),
});

/** Keys whose values are texts; the others are JSON, as `pulumi config set --path` writes lists and objects. */
const TEXT_KEYS = new Set([
  "projectId",
  "branch",
  "database",
  "environment",
  "publication",
  "slot",
  "logicalReplication",
]);

/** How each kind of mistake is mended on the command line. */
function fix(key: string): string {
  if (TEXT_KEYS.has(key)) return `pulumi config set ${NAMESPACE}:${key} VALUE`;
  if (["schemas", "tables", "excludeTables", "allowedIps"].includes(key)) {
    return `pulumi config set --path '${NAMESPACE}:${key}[0]' VALUE`;
  }
  if (key === "role") return `pulumi config set --path ${NAMESPACE}:role.createdBy sql`;
  return `pulumi config set ${NAMESPACE}:${key} true`;
}

/** Every mistake in the stack's configuration, at once. */
export class StackConfigError extends Error {
  override readonly name = "StackConfigError";

  constructor(readonly mistakes: readonly string[]) {
    super(
      ["The stack's configuration needs attention:", ...mistakes.map((line) => `  - ${line}`)].join("\n"),
    );
  }
}

/**
 * The component's arguments from the stack's configuration.
 *
 * @param all - every key of the stack's configuration with its namespace, e.g. `{"neon-bemi:projectId": "..."}`.
 * @throws StackConfigError that names each mistake by its key, with the command that mends it.
 */
export function parseStackConfig(all: Readonly<Record<string, string>>): BemiAuditTrailArgs {
  const prefix = `${NAMESPACE}:`;
  const mistakes: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [fullKey, raw] of Object.entries(all)) {
    if (!fullKey.startsWith(prefix)) continue;
    const key = fullKey.slice(prefix.length);
    if (!(key in schema.shape)) {
      mistakes.push(
        `${fullKey} is not a key of this program (known: ${Object.keys(schema.shape).join(", ")}); ` +
          `remove it: pulumi config rm ${fullKey}`,
      );
    } else {
      values[key] = TEXT_KEYS.has(key) ? raw : fromJson(raw);
    }
  }

  const result = schema.safeParse(values);
  if (!result.success) {
    for (const issue of result.error.issues) {
      const key = String(issue.path[0]);
      mistakes.push(`${NAMESPACE}:${issue.path.join(".")} ${issue.message}; fix: ${fix(key)}`);
    }
  }
  const selections = ["schemas", "tables", "allTables"].filter((key) => values[key] !== undefined);
  if (selections.length > 1) {
    mistakes.push(
      `${selections.map((key) => prefix + key).join(" and ")} exclude each other; keep one of them: ` +
        `pulumi config rm ${prefix}${selections[1] ?? ""}`,
    );
  }
  if (mistakes.length > 0 || !result.success) throw new StackConfigError(mistakes);
  return result.data;
}

/** A value that is no JSON is taken as the text it is, so that the schema can say what was expected instead. */
function fromJson(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return raw;
  }
}
