import type * as z from "zod";
import type { NeonProject, NewRole } from "../../contract/neonApi";
import { secret } from "../../contract/secrets";
import { firstFew } from "../../contract/wording";
import { shownName, UnreadableAnswer } from "./errors";
import type { NeonRequest } from "./requests";
import * as schemas from "./schemas";

type Read = Extract<NeonRequest, { readonly method: "GET" }>;

/**
 * The answer as the schema reads it.
 *
 * @throws UnreadableAnswer naming the fields that do not fit
 */
export function parse<Schema extends z.ZodType>(
  schema: Schema,
  request: NeonRequest,
  answer: unknown,
): z.output<Schema> {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  const fields = result.error.issues.map((issue) => issue.path.join(".") || "the whole answer");
  throw new UnreadableAnswer(request, firstFew([...new Set(fields)]));
}

/** The project of an answer. Its id decides what is changed later, so it must be the one that was asked for. */
export function parseProject(request: Read, answer: unknown): NeonProject {
  const project = parse(schemas.project, request, answer);
  assertAbout(request.path[1], project.id, request.path);
  return project;
}

/** @throws UnreadableAnswer if an answer is about another object than the one that was asked for */
export function assertAbout(asked: string, answered: string, path: Read["path"]): void {
  if (answered !== asked)
    throw new UnreadableAnswer({ method: "GET", path }, `it is about ${shownName(answered)}`);
}

/**
 * Makes sure that a connection URI leads where it was asked for: what is created and dropped over the connection depends
 * on it. A URI that cannot be read is refused by whoever splits it.
 */
export function assertLeadsTo(
  uri: string,
  { database, role }: { readonly database: string; readonly role: string },
  path: Read["path"],
): void {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (url === undefined || (isText(url.username, role) && isText(url.pathname, `/${database}`))) return;
  throw new UnreadableAnswer({ method: "GET", path }, "the connection URI is for another database or role");
}

function isText(encoded: string, text: string): boolean {
  try {
    return decodeURIComponent(encoded) === text;
  } catch {
    return false;
  }
}

/** The password in the answer to a mutation of the role; `undefined` if it has none, and must be asked for. */
export function passwordIn(answer: unknown, name: string): string | undefined {
  return roleIn(answer, name)?.password;
}

/** The role and its password in the answer to creating it; `undefined` where it is about another role or has none. */
export function roleIn(answer: unknown, name: string): NewRole | undefined {
  const { role } = schemas.roleWithPassword.safeParse(answer).data ?? {};
  if (role === undefined || (role.name ?? name) !== name) return undefined;
  const { created_at: createdAt } = role;
  return { password: secret(role.password), ...(createdAt === undefined ? {} : { createdAt }) };
}
