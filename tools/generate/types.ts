import * as z from "zod";
import { coreOf, defaultOf, docOf, fieldsOf, isOptional } from "../../provider/contract/schema";
import { identityFields } from "../../provider/contract/fields/identity";
import { givenSelections } from "../../provider/contract/fields/selection";
import type { Argument } from "./arguments";
import { docComment, meaning } from "./text";

/** The TypeScript type of a field's values: a named type by its name. */
export function plainType(field: z.ZodType): string {
  return typeOf(field, (item) => item);
}

/** The type of an argument: it and all within it may be outputs of other resources, unless it is marked as plain. */
export function argumentType(field: z.ZodType): string {
  if (docOf(field).plain === true) return plainType(field);
  const { resource } = docOf(field);
  if (resource !== undefined) return `${argumentType(coreOf(field))} | ${resource}`;
  return `Input<${typeOf(field, (item) => `Input<${item}>`)}>`;
}

function typeOf(field: z.ZodType, item: (type: string) => string): string {
  const core = coreOf(field);
  const { typeName } = docOf(core);
  if (typeName !== undefined) return typeName;
  if (core instanceof z.ZodEnum) return choices(core);
  if (core instanceof z.ZodLiteral) return [...core.values].map((value) => JSON.stringify(value)).join(" | ");
  if (core instanceof z.ZodArray) {
    const element = item(typeOf(core.element as z.ZodType, item));
    return element.includes(" | ") ? `(${element})[]` : `${element}[]`;
  }
  if (core instanceof z.ZodRecord)
    return `Record<string, ${item(typeOf(core.valueType as z.ZodType, item))}>`;
  if (core instanceof z.ZodUnknown) return "unknown";
  if (core instanceof z.ZodString) return "string";
  if (core instanceof z.ZodNumber) return "number";
  if (core instanceof z.ZodBoolean) return "boolean";
  throw new Error(
    `There is no TypeScript type for a ${core.type} in the contract; an object needs a typeName.`,
  );
}

/** Name of the type that says which arguments of a selection exclude each other, where there must be one of them. */
export const ONE_SELECTION = "OneSelection";
/** The same where there may be none. */
export const AT_MOST_ONE_SELECTION = "AtMostOneSelection";

/** The type of a set of arguments by its name: an interface, or one that also says what excludes each other. */
export function argumentsType(
  name: string,
  text: string,
  list: readonly Argument[],
  exclusion = ONE_SELECTION,
): string {
  const fields = Object.fromEntries(list.map((argument) => [argument.name, argument]));
  if (givenSelections(fields).length === 0) return argumentsInterface(name, text, list);
  const all = name.replace(/Args$/, "Fields");
  const parts = argumentsInterface(
    all,
    `Arguments, of which some exclude each other: see {@link ${name}}.`,
    list,
  );
  return `${docComment(text)}\nexport type ${name} = ${all} & ${exclusion};\n\n${parts}`;
}

/** Which of the arguments that exclude each other a program can give. */
export function selectionChoice(
  name: string,
  text: string,
  list: readonly Argument[],
  mayBeNone: boolean,
): string {
  const choices = list.map(({ name: chosen, field }, index) => {
    const others = list.filter((other) => other.name !== chosen).map((other) => `${other.name}?: undefined`);
    const optional = mayBeNone && index === 0 ? "?" : "";
    return `{ ${[`${chosen}${optional}: ${argumentType(field)}`, ...others].join("; ")} }`;
  });
  return `${docComment(text)}\nexport type ${name} = ${choices.map((choice) => `| ${choice}`).join("\n")};`;
}

/** The types of objects that arguments of several resources have; they are written once, for all modules. */
const SHARED_OBJECTS: readonly z.ZodObject[] = [identityFields];

/** Whether the type of an object is written in the module of the shared types. */
export function isShared(group: z.ZodObject): boolean {
  return SHARED_OBJECTS.includes(group);
}

/** The types of {@link SHARED_OBJECTS}, by their names. */
export function sharedObjects(): readonly (readonly [name: string, group: z.ZodObject])[] {
  return SHARED_OBJECTS.map((group) => [nameOf(group), group]);
}

/** The import of what a text uses of the types that several modules share; empty where it uses none. */
export function sharedImport(text: string): string {
  const names = [ONE_SELECTION, AT_MOST_ONE_SELECTION, ...SHARED_OBJECTS.map(nameOf)];
  const used = names.filter((name) => new RegExp(`\\b${name}\\b`).test(text));
  return used.length === 0 ? "" : `import type { ${used.join(", ")} } from "./shared";`;
}

/** `interface NAME { ... }` of arguments, each with its doc comment. */
export function argumentsInterface(name: string, text: string, list: readonly Argument[]): string {
  const fields = list.map(
    (argument) =>
      `${docComment(argumentDoc(argument), "  ")}\n  ${argument.name}${argument.required ? "" : "?"}: ${argumentType(argument.field)};`,
  );
  return `${docComment(text)}\nexport interface ${name} {\n${fields.join("\n")}\n}`;
}

function argumentDoc({ meaning: text, default: omitted }: Argument): string {
  return omitted === undefined ? text : `${text} Default: ${omitted}.`;
}

/** `interface NAME { ... }` of values that are known, each with its doc comment. */
export function valuesInterface(name: string, values: z.ZodObject): string {
  const fields = Object.entries(fieldsOf(values)).map(
    ([key, field]) => `${docComment(meaning(key, field), "  ")}\n  readonly ${key}: ${plainType(field)};`,
  );
  return `${docComment(meaning(name, values))}\nexport interface ${name} {\n${fields.join("\n")}\n}`;
}

/** `type NAME = ...` of a choice of texts. */
export function choiceType(name: string, field: z.ZodEnum): string {
  return `${docComment(meaning(name, field))}\nexport type ${name} = ${choices(field)};`;
}

/** The values of a choice, as a union of texts. */
export function choices(field: z.ZodEnum): string {
  return field.options.map((value) => JSON.stringify(value)).join(" | ");
}

/** A property of a class that holds an output, with its doc comment. */
export function outputProperty(
  name: string,
  field: z.ZodType,
  keyword: "readonly" | "declare readonly",
): string {
  const type = plainType(field);
  const mayBeUnset = isOptional(field) && defaultOf(field) === undefined;
  return `${docComment(meaning(name, field), "  ")}\n  ${keyword} ${name}: Output<${mayBeUnset ? `${type} | undefined` : type}>;`;
}

/** The name of the type of an object or choice in the contract. */
export function nameOf(field: z.ZodType): string {
  const { typeName } = docOf(coreOf(field));
  if (typeName === undefined) throw new Error("An object in the contract has no typeName.");
  return typeName;
}
