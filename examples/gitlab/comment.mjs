// Puts the report of `neon-bemi plan --format md` on the merge request: one note for each stack, which later runs replace.
// GITLAB_TOKEN: a project access token with the scope `api`; the token of the job cannot write notes.
import { readFile } from "node:fs/promises";

const { CI_API_V4_URL, CI_PROJECT_ID, CI_MERGE_REQUEST_IID, GITLAB_TOKEN } = process.env;
const notes = `${CI_API_V4_URL}/projects/${CI_PROJECT_ID}/merge_requests/${CI_MERGE_REQUEST_IID}/notes`;

async function send(method, url, body) {
  const headers = { "PRIVATE-TOKEN": GITLAB_TOKEN, "Content-Type": "application/json" };
  const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  return answer;
}

/** The notes that this token has written. */
async function ownNotes() {
  const me = await (await send("GET", `${CI_API_V4_URL}/user`)).json();
  const found = [];
  for (let page = "1"; page;) {
    const answer = await send("GET", `${notes}?per_page=100&page=${page}`);
    found.push(...(await answer.json()));
    page = answer.headers.get("x-next-page");
  }
  return found.filter(({ author }) => author.id === me.id);
}

const body = await readFile(process.argv[2], "utf8");
// A comment that nobody sees: it names the stack, and has a digest of the report.
const [first] = body.split("\n");
const [marker, digest] = first.split(" sha256:");
if (digest === undefined) throw new Error("there is no report");
const last = (await ownNotes()).find((note) => note.body.startsWith(`${marker} sha256:`));
if (last === undefined) await send("POST", notes, { body });
else if (!last.body.startsWith(first)) await send("PUT", `${notes}/${last.id}`, { body });
