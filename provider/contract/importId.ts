import { UserError } from "./errors";

/** An object inside a database, as an import names it. */
export interface ImportedObject {
  readonly projectId: string;
  readonly branch: string;
  readonly database: string;
  readonly name: string;
}

/**
 * Reads `PROJECT/BRANCH/DATABASE/NAME`. The branch's name may have slashes in it, as many have; the other parts have none.
 *
 * @param type name of the class, for the message
 * @param last what the last part is called there
 */
export function parseImportId(id: string, type: string, last: "NAME" | "ROLE" = "NAME"): ImportedObject {
  const [projectId = "", ...rest] = id.split("/");
  const name = rest.pop() ?? "";
  const database = rest.pop() ?? "";
  const branch = rest.join("/");
  if ([projectId, branch, database, name].includes(""))
    throw wrongForm(id, type, `PROJECT/BRANCH/DATABASE/${last}`, "cool-darkness-123456/main/neondb/bemi");
  return { projectId, branch, database, name };
}

/** Reads `PROJECT`. */
export function parseProjectId(id: string, type: string): string {
  if (!/^[a-z0-9-]+$/.test(id)) throw wrongForm(id, type, "PROJECT", "cool-darkness-123456");
  return id;
}

function wrongForm(id: string, type: string, form: string, example: string): UserError {
  const article = /^[AEIOU]/.test(type) ? "an" : "a";
  return new UserError(
    `"${id}" does not name ${article} ${type} to import. Write ${form}, for example ${example}.`,
  );
}
