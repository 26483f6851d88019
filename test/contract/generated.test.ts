import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";
import * as z from "zod";
import { definitions } from "../../provider/contract/kinds";
import { coreOf, docOf, fieldsOf } from "../../provider/contract/schema";
import { trailInputs, trailOutputs } from "../../provider/contract/trail";

const PROJECT = path.resolve(__dirname, "../..");

test("what is generated is what the contract says; otherwise run npm run generate", () => {
  // A process of its own: Prettier loads its parsers by dynamic imports, which Jest refuses.
  const script = path.join(PROJECT, "tools/generate/main.ts");
  const { status, stderr } = spawnSync(
    process.execPath,
    ["-r", "ts-node/register/transpile-only", script, "--check"],
    { cwd: PROJECT, encoding: "utf8" },
  );
  expect(stderr).toBe("");
  expect(status).toBe(0);
});

describe("the declarations that npm publishes", () => {
  let declarations: Map<string, ts.SourceFile>;

  beforeAll(() => {
    declarations = emitDeclarations();
  });

  test.each([
    ["publication.d.ts", "PublicationArgs", "name", /^Name of the publication: .* Default: `"bemi"`\.$/],
    ["publication.d.ts", "PublicationArgs", "adopt", /^Takes over a publication .* Default: `false`\.$/],
    [
      "trailTypes.d.ts",
      "BemiAuditTrailArgs",
      "schemas",
      /^Every table of these schemas\. .* Default: `\["public"\]`, unless .*\.$/,
    ],
  ])("%s: %s.%s shows meaning and default when hovered", (file, type, name, shown) => {
    expect(hover(file, type, name)).toMatch(shown);
  });

  test.each([
    ["readiness.d.ts", "Readiness", "newTables", /^How new tables are taken in: /],
    ["bemiAuditTrail.d.ts", "BemiAuditTrail", "connection", /^Secret\. The fields of Bemi's dialog /],
  ])("%s: the output %s.%s shows its meaning when hovered", (file, type, name, shown) => {
    expect(hover(file, type, name)).toMatch(shown);
  });

  test.each([
    ["publication.d.ts", "PublicationArgs", "PublicationFields & OneSelection"],
    ["trailTypes.d.ts", "BemiAuditTrailArgs", "BemiAuditTrailFields & AtMostOneSelection"],
    ["shared.d.ts", "SelectionArgs", "SelectionFields & OneSelection"],
  ])("%s: the compiler refuses a %s of selections that exclude each other", (file, name, type) => {
    const aliases = declarations.get(file)?.statements.filter(ts.isTypeAliasDeclaration);
    expect(aliases?.find((alias) => alias.name.text === name)?.type.getText()).toBe(type);
  });

  test("no declaration speaks of the schemas that arguments are checked against", () => {
    const speaking = [...declarations].filter(([, source]) => /zod|provider\/contract/.test(source.text));
    expect(speaking.map(([file]) => file)).toEqual([]);
  });

  test("outputs that are one of a few texts have the type of these texts", () => {
    expect(typeText("readiness.d.ts", "Readiness", "newTables")).toBe(
      'Output<"event trigger" | "next up" | "not tracked">',
    );
    expect(typeText("trailTypes.d.ts", "BemiStatus", "slotState")).toBe(
      '"not created yet" | "active" | "inactive" | "lost"',
    );
  });

  /** The text of a member's doc comment, on one line, as an editor shows it. */
  function hover(file: string, type: string, name: string): string {
    const docs = ts.getJSDocCommentsAndTags(member(file, type, name)).filter(ts.isJSDoc);
    return docs
      .map(({ comment }) => ts.getTextOfJSDocComment(comment) ?? "")
      .join("")
      .replaceAll(/\s+/g, " ");
  }

  function typeText(file: string, type: string, name: string): string | undefined {
    return member(file, type, name).type?.getText();
  }

  function member(file: string, type: string, name: string): ts.PropertySignature | ts.PropertyDeclaration {
    for (const statement of declarations.get(file)?.statements ?? []) {
      // Arguments of which some exclude each other: the fields are those of the first type of an intersection.
      if (ts.isTypeAliasDeclaration(statement) && statement.name.text === type) {
        const [fields] = ts.isIntersectionTypeNode(statement.type) ? statement.type.types : [];
        if (fields !== undefined) return member(file, fields.getText(), name);
      }
      if (!ts.isInterfaceDeclaration(statement) && !ts.isClassDeclaration(statement)) continue;
      if (statement.name?.text !== type) continue;
      for (const found of statement.members) {
        const isProperty = ts.isPropertySignature(found) || ts.isPropertyDeclaration(found);
        if (isProperty && found.name.getText() === name) return found;
      }
    }
    throw new Error(`${file} declares no ${type}.${name}.`);
  }
});

/**
 * The declarations of the generated modules, by their file names. The modules write all types out, so that the
 * compiler needs no other file to make the declarations that `npm run build` writes.
 */
function emitDeclarations(): Map<string, ts.SourceFile> {
  const generated = path.join(PROJECT, "components/generated");
  return new Map(
    readdirSync(generated).map((name) => {
      const fileName = path.join(generated, name);
      const compilerOptions = { target: ts.ScriptTarget.ES2022, isolatedDeclarations: true };
      const { outputText, diagnostics } = ts.transpileDeclaration(readFileSync(fileName, "utf8"), {
        compilerOptions,
        fileName,
        reportDiagnostics: true,
      });
      expect(diagnostics?.map(({ messageText }) => messageText)).toEqual([]);
      const emitted = name.replace(/\.ts$/, ".d.ts");
      return [emitted, ts.createSourceFile(emitted, outputText, ts.ScriptTarget.Latest, true)];
    }),
  );
}

describe("docs/reference.md", () => {
  const sections = new Map(
    readFileSync(path.join(PROJECT, "docs/reference.md"), "utf8")
      .split(/^## /m)
      .slice(1)
      .map((text) => [text.slice(0, text.indexOf("\n")), text]),
  );
  /** Names in the first column of a section's tables. */
  const rows = (section: string): string[] =>
    [...(sections.get(section) ?? "").matchAll(/^\| `([^`]+)` /gm)].map(([, name]) => name ?? "");

  test("lists every key of the component, and what is within its objects", () => {
    expect(rows("BemiAuditTrail")).toEqual(
      expect.arrayContaining([
        ...Object.keys(trailInputs.shape),
        ...Object.keys(trailInputs.shape.role.unwrap().shape).map((key) => `role.${key}`),
        ...Object.keys(trailOutputs.shape),
        ...Object.keys(trailOutputs.shape.status.shape).map((key) => `status.${key}`),
      ]),
    );
  });

  test.each(definitions.map((definition) => [definition.type, definition] as const))(
    "lists every argument and output of %s, and nothing that the resource fills in",
    (type, { inputs, outputs, readBack }) => {
      const named = Object.entries(fieldsOf(inputs)).filter(
        ([, field]) => docOf(field).filledInBy !== "resource",
      );
      expect(rows(type)).toEqual([
        // What is within an object that users fill in has rows of its own.
        ...named.flatMap(([name, field]) => {
          const core = coreOf(field);
          const within =
            core instanceof z.ZodObject && docOf(field).filledInBy === undefined ? fieldsOf(core) : {};
          return [name, ...Object.keys(within).map((key) => `${name}.${key}`)];
        }),
        ...readBack,
        ...Object.keys(fieldsOf(outputs)),
      ]);
    },
  );
});
