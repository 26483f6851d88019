import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { DRIFT } from "../../provider/contract/drift";
import { CODES } from "../../report/finding";
import { PROJECT } from "../../tools/pulumiCli";

/** The Markdown files of the repository, by their paths. */
const DOCUMENTS = ["", "docs"].flatMap((folder) =>
  readdirSync(path.join(PROJECT, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => path.posix.join(folder, name)),
);

/** Folders whose files the documents name by path. */
const FOLDERS = "bench|commands|components|docs|examples|provider|report|sandbox|test|tools";

function read(document: string): string {
  return readFileSync(path.join(PROJECT, document), "utf8");
}

/** The paths of this repository that a document names in code spans or links to. */
function pathsIn(document: string): string[] {
  const text = read(document);
  const spans = [...text.matchAll(new RegExp(`\`((?:${FOLDERS})/[\\w./-]+)\``, "g"))].map(
    ([, file = ""]) => file,
  );
  const links = [...text.matchAll(/\]\((?!\w+:|#)([^)#]+)/g)].map(([, target = ""]) =>
    path.posix.join(path.posix.dirname(document), target),
  );
  return [...spans, ...links];
}

/** The table of rooms, as a process of its own reads it: Jest cannot load ES modules. */
function rooms(): Record<string, string[]> {
  const script = 'import("./tools/rooms/floors.mjs").then(({ ROOMS }) => console.log(JSON.stringify(ROOMS)))';
  return JSON.parse(
    execFileSync(process.execPath, ["-e", script], { cwd: PROJECT, encoding: "utf8" }),
  ) as Record<string, string[]>;
}

describe("the documents", () => {
  it.each(DOCUMENTS)("%s names only files that exist", (document) => {
    expect(pathsIn(document).filter((file) => !existsSync(path.join(PROJECT, file)))).toEqual([]);
  });

  it("include README.md and docs/architecture.md", () => {
    expect(DOCUMENTS).toEqual(expect.arrayContaining(["README.md", "docs/architecture.md"]));
  });
});

describe("docs/drift.md", () => {
  it("lists each name of provider/contract/drift.ts with its meaning, and no other", () => {
    const rows = [...read("docs/drift.md").matchAll(/^\| `(\w+)` +\|.*?\| (.*?) *\|$/gm)];
    expect(Object.fromEntries(rows.map(([, name = "", meaning = ""]) => [name, meaning]))).toEqual(DRIFT);
  });
});

describe("the codes of report/finding.ts", () => {
  it("each have a heading in docs/plan.md, or a row in docs/check.md", () => {
    const text = read("docs/plan.md") + read("docs/check.md");
    const codes = [...text.matchAll(/^(?:### |\| )(NB\d+)\b/gm)].map(([, code]) => code);
    expect(codes.sort()).toEqual(Object.keys(CODES).sort());
  });
});

describe("the index of docs/ in README.md", () => {
  it("links every page", () => {
    const pages = DOCUMENTS.filter((document) => document.startsWith("docs/"));
    expect(pages.filter((page) => !read("README.md").includes(`](${page})`))).toEqual([]);
  });
});

describe("the diagram of the rooms", () => {
  const diagram = /```mermaid\nflowchart[^]*?```/.exec(read("docs/architecture.md"))?.[0] ?? "";
  const labels = [...diagram.matchAll(/\["(.*?)(?:<br\/>.*?)?"\]/g)].map(([, label = ""]) => label);

  it("shows every room of tools/rooms/floors.mjs, and no other", () => {
    const shown = labels
      .filter((label) => !label.startsWith("floors of "))
      .flatMap((label) => label.split(" · "));
    const names = Object.keys(rooms()).map((room) => room.replace("provider/postgres/", ""));
    expect(shown.sort()).toEqual(names.sort());
  });

  it("shows the floors of provider/postgres from top to bottom", () => {
    const floors = new Map<number, string[]>();
    for (const [room, below] of Object.entries(rooms())) {
      if (!room.startsWith("provider/postgres/")) continue;
      const floor = floors.get(below.length) ?? [];
      floors.set(below.length, [...floor, room.replace("provider/postgres/", "")]);
    }
    const expected = [...floors].sort(([a], [b]) => b - a).map(([, floor]) => floor.join(" · "));
    expect(labels.filter((label) => expected.includes(label))).toEqual(expected);
  });
});
