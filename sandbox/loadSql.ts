import { readFile } from "node:fs/promises";
import { Client, DatabaseError } from "pg";
import type { EventEmitter } from "node:events";
import { UserError } from "./errors";

/** A file of SQL, read before anything is started. */
export interface SqlFile {
  readonly path: string;
  readonly text: string;
}

export async function readSql(path: string): Promise<SqlFile> {
  try {
    return { path, text: await readFile(path, "utf8") };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UserError(`The SQL file ${path} cannot be read: ${reason}. Check --sql.`);
  }
}

/**
 * Runs a whole file in one message and so, unless it says otherwise itself, in one transaction. Like any client of the
 * protocol it knows no psql commands and no data after `COPY ... FROM stdin`.
 *
 * @throws UserError naming file, line and message of the first failure
 */
export async function loadSql(uri: string, sslRootCert: string, { path, text }: SqlFile): Promise<void> {
  const { hostname, port, username, password, pathname } = new URL(uri);
  const client = new Client({
    host: hostname,
    port: Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    ssl: { ca: await readFile(sslRootCert, "utf8") },
  });
  client.on("error", () => undefined);
  await client.connect();
  let completed = 0;
  (client as unknown as { connection: EventEmitter }).connection.on(
    "commandComplete",
    () => (completed += 1),
  );
  try {
    await client.query(text);
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    const hint = /^\s*(\\|COPY\b[^;]*\bFROM\s+stdin)/im.test(text)
      ? " The sandbox runs plain SQL: no psql commands, no COPY FROM stdin (pg_dump --inserts writes none)."
      : "";
    throw new UserError(`${path}, line ${lineOf(text, error, completed)}: ${error.message}.${hint}`);
  } finally {
    await client.end();
  }
}

/** Errors of running statements come without a position; then it is the start of the first uncompleted statement. */
function lineOf(text: string, error: DatabaseError, completed: number): number {
  const before =
    error.position === undefined
      ? text.slice(0, statementStarts(text)[completed] ?? text.length)
      : Array.from(text)
          .slice(0, Number(error.position) - 1)
          .join("");
  return before.split("\n").length;
}

/** Whatever can hold a semicolon that ends nothing, the semicolon itself, and the smallest other parts. */
const TOKEN =
  /--[^\n]*|\/\*|\$([a-z_]\w*)?\$[^]*?\$\1\$|\be'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\s+|\w+|[^]/giy;

/**
 * Where the statements of the text begin. The semicolons in a `BEGIN ATOMIC` body count as ends, which only makes the
 * line of an error that follows one less exact.
 */
export function statementStarts(text: string): number[] {
  const starts: number[] = [];
  let inStatement = false;
  for (let at = 0; at < text.length;) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)?.[0] ?? "";
    const comment = token.startsWith("--") || token === "/*";
    if (token === ";") inStatement = false;
    else if (!inStatement && !comment && token.trim() !== "") {
      inStatement = true;
      starts.push(at);
    }
    at = token === "/*" ? endOfComment(text, at) : at + token.length;
  }
  return starts;
}

/** Comments of this kind nest. */
function endOfComment(text: string, start: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = start;
  for (let depth = 0, found = mark.exec(text); found !== null; found = mark.exec(text)) {
    depth += found[0] === "/*" ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  return text.length;
}
