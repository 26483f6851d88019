import { readFile } from "node:fs/promises";
import { Client, DatabaseError } from "pg";
import type { EventEmitter } from "node:events";
import { UserError } from "./errors";

interface SqlFile {
  readonly path: string;
  readonly text: string;
}

/**
 * Reads an SQL file.
 *
 * @throws UserError that names the file
 */
export async function readSql(path: string): Promise<SqlFile> {
  try {
    return { path, text: await readFile(path, "utf8") };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UserError(`The SQL file ${path} cannot be read: ${reason}. Check --sql.`);
  }
}

/**
 * Runs a file as one message, and so in one transaction unless the file itself says otherwise. psql commands and data
 * after `COPY ... FROM stdin` do not work: only psql understands them.
 *
 * @throws UserError with file, line and message of the first failure
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

/**
 * The line of an error. PostgreSQL gives no position for an error that occurs while a statement runs. Then the line is
 * that of the first statement that did not complete.
 */
function lineOf(text: string, error: DatabaseError, completed: number): number {
  const before =
    error.position === undefined
      ? text.slice(0, statementStarts(text)[completed] ?? text.length)
      : Array.from(text)
          .slice(0, Number(error.position) - 1)
          .join("");
  return before.split("\n").length;
}

/**
 * The parts of an SQL text: comments, dollar quotes, quoted texts and quoted names, in which a semicolon does not end a
 * statement; white space and words; and single characters, the semicolon among them.
 */
const TOKEN =
  /--[^\n]*|\/\*|\$([a-z_]\w*)?\$[^]*?\$\1\$|\be'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\s+|\w+|[^]/giy;

/**
 * The positions at which the statements of the text begin. A semicolon in a `BEGIN ATOMIC` body is taken for the end of
 * a statement, which makes the line of a later error less exact.
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

/** The end of a comment that starts with a slash and an asterisk. Such comments can be nested. */
function endOfComment(text: string, start: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = start;
  for (let depth = 0, found = mark.exec(text); found !== null; found = mark.exec(text)) {
    depth += found[0] === "/*" ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  return text.length;
}
