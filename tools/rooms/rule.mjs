import path from "node:path";
import { mayImport, pathOf, roomOf } from "./floors.mjs";

/** ESLint's rule for the floors: an import, also of a type, that leads to a room above or beside is an error. */
export const floors = {
  meta: {
    type: "problem",
    schema: [],
    messages: { closed: "{{from}} may not import from {{to}}: see tools/rooms/floors.mjs." },
  },
  create(context) {
    const root = context.cwd;
    const from = relative(root, context.filename);

    function check(node) {
      const source = node.source ?? node.argument?.literal ?? node.argument;
      const to = typeof source?.value === "string" ? pathOf(from, source.value) : undefined;
      if (to === undefined) return;
      // A folder stands for its index.
      const allowed = mayImport(from, to) || (roomOf(`${to}/index`) === to && mayImport(from, `${to}/index`));
      if (allowed) return;
      const data = { from: roomOf(from), to: roomOf(to) ?? to };
      context.report({ node: source, messageId: "closed", data });
    }

    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
      TSImportType: check,
    };
  },
};

function relative(root, file) {
  return path.relative(root, file).replaceAll(path.sep, "/");
}
