/**
 * `npm run rooms`: prints every room with its files and the rooms it imports from, and every circle of imports. Type
 * imports count like any other. Ends with 1 where there is a circle or an arrow against the floors.
 */
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { mayImport, pathOf, roomOf, ROOMS } from "./floors.mjs";

const PROJECT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const FOLDERS = ["components", "provider", "sandbox", "tools", "bench", "test"];

/** Every TypeScript file and what it imports, by paths from the repository's root. */
function readImports() {
  const nested = FOLDERS.flatMap((folder) =>
    readdirSync(path.join(PROJECT, folder), { recursive: true }).map((file) => path.posix.join(folder, file)),
  );
  const files = [...nested, ...readdirSync(PROJECT)].filter((file) => /(?<!\.d)\.ts$/.test(file)).sort();
  return new Map(files.map((file) => [file, importsOf(file)]));
}

function importsOf(file) {
  const { importedFiles } = ts.preProcessFile(ts.sys.readFile(path.join(PROJECT, file)) ?? "", true, false);
  return importedFiles.flatMap(({ fileName }) => {
    const base = pathOf(file, fileName);
    if (base === undefined) return [];
    return [`${base}.ts`, `${base}/index.ts`].filter((found) => existsSync(path.join(PROJECT, found)));
  });
}

/** The circles of a graph, each as the nodes that can all reach one another. */
function circles(graph) {
  const reach = (start) => {
    const seen = new Set();
    const open = [...(graph.get(start) ?? [])];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(...(graph.get(next) ?? []));
    }
    return seen;
  };
  const reached = new Map([...graph.keys()].map((node) => [node, reach(node)]));
  const named = new Set();
  return [...graph.keys()].flatMap((node) => {
    if (named.has(node) || !reached.get(node).has(node)) return [];
    const circle = [...graph.keys()].filter(
      (other) => reached.get(node).has(other) && reached.get(other)?.has(node),
    );
    for (const member of circle) named.add(member);
    return [circle];
  });
}

const imports = readImports();
const rooms = new Map(Object.keys(ROOMS).map((room) => [room, { files: 0, to: new Map() }]));
const against = [];
for (const [file, targets] of imports) {
  const room = rooms.get(roomOf(file));
  if (room === undefined) continue;
  room.files += 1;
  for (const target of targets) {
    if (!mayImport(file, target)) against.push(`${file} -> ${target}`);
    const to = roomOf(target);
    // Examples are no room.
    if (to !== undefined && to !== roomOf(file)) room.to.set(to, (room.to.get(to) ?? 0) + 1);
  }
}

let arrows = 0;
for (const [name, { files, to }] of rooms) {
  arrows += to.size;
  const list = [...to].sort().map(([room, count]) => `${room.replace("provider/postgres/", "")} ${count}`);
  console.log(`${name}: ${files} files; imports from ${to.size} rooms: ${list.join(", ") || "-"}`);
}
console.log(`${rooms.size} rooms, ${arrows} arrows between them`);

const found = [
  ...against.map((arrow) => `against the floors: ${arrow}`),
  ...circles(imports).map((circle) => `circle of files: ${circle.join(", ")}`),
  ...circles(new Map([...rooms].map(([room, { to }]) => [room, [...to.keys()]]))).map(
    (circle) => `circle of rooms: ${circle.join(", ")}`,
  ),
];
for (const line of found) console.log(line);
process.exitCode = found.length === 0 ? 0 : 1;
