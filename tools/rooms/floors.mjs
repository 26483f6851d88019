import path from "node:path";

/**
 * The rooms of the code and what each of them may import. ESLint refuses every other import, type imports included
 * (rule.mjs), and `npm run rooms` prints the arrows and looks for circles (main.mjs).
 *
 * A room is a folder; a file belongs to the room with the longest path that fits. Files beside package.json are the
 * room "program".
 */

/** What everybody in the package shares; it imports nothing of the package itself. */
const CONTRACT = "provider/contract";

/** The rooms of provider/neon from the ground up: each may use the rows above its own row, and nothing beside it. */
const NEON_FLOORS = [
  ["api"],
  ["target", "allowList"],
  ["branch", "logicalReplication", "apiRole", "ipAllow"],
].map((floor) => floor.map((room) => `provider/neon/${room}`));

/** The rooms of provider/postgres from the ground up, with the same rule. */
const POSTGRES_FLOORS = [
  ["sql"],
  ["catalog"],
  ["session"],
  ["ownership"],
  ["selection"],
  ["record"],
  ["tracking", "role", "access"],
  ["identity", "slot"],
  ["publication", "readiness"],
].map((floor) => floor.map((room) => `provider/postgres/${room}`));

/** By room of these floors, what it may import. */
function upon(floors) {
  return Object.fromEntries(
    floors.flatMap((floor, level) => {
      const below = floors.slice(0, level).flat();
      return floor.map((room) => [room, [CONTRACT, ...below]]);
    }),
  );
}

const NEON = upon(NEON_FLOORS);
const POSTGRES = upon(POSTGRES_FLOORS);

const PACKAGE = {
  [CONTRACT]: [],
  ...NEON,
  // Its index: the door for the other rooms.
  "provider/neon": [CONTRACT, ...Object.keys(NEON)],
  ...POSTGRES,
  // Its index: the kinds that the floors serve.
  "provider/postgres": [CONTRACT, ...Object.keys(POSTGRES)],
  // The plugin process, which puts the rooms together. It makes the component for programs in other languages.
  "provider/plugin": [CONTRACT, "components", "provider/neon", "provider/postgres"],
  // The reports of the commands: pure functions, over what the rooms of provider/postgres decide.
  report: [CONTRACT, ...Object.keys(POSTGRES)],
  // The command neon-bemi. Nothing else of the package imports it, or the reports.
  commands: [CONTRACT, "report", ...Object.keys(POSTGRES), "provider/plugin"],
  components: [CONTRACT],
  // The contract: the keys of the stack's configuration are the component's arguments.
  program: [CONTRACT, "components"],
};

/** Room by room, what it may import besides itself. */
export const ROOMS = {
  ...PACKAGE,
  // The sandbox plays Neon and the server: it must not share code with what it is there to test.
  sandbox: [],
  tools: [...Object.keys(PACKAGE), "sandbox"],
  test: [...Object.keys(PACKAGE), "sandbox", "tools"],
  bench: [...Object.keys(PACKAGE), "sandbox", "tools", "test"],
};

/** The room of a file, which is named by its path from the repository's root; `undefined` outside of all rooms. */
export function roomOf(file) {
  if (!file.includes("/")) return "program";
  return Object.keys(ROOMS)
    .filter((room) => file.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
}

/**
 * What a file imports, by its path from the repository's root and without its ending; `undefined` for a package.
 */
export function pathOf(file, imported) {
  if (!imported.startsWith(".")) return undefined;
  return path.posix.join(path.posix.dirname(file), imported);
}

/** Whether a file may import another one, both named by their paths from the repository's root. */
export function mayImport(from, to) {
  const [room, target] = [roomOf(from), roomOf(to)];
  // Examples are no room: nothing but a test may import them.
  if (room === "test" && to.startsWith("examples/")) return true;
  return room === undefined || room === target || ROOMS[room].includes(target);
}
