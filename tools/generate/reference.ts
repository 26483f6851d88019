import * as z from "zod";
import type { Definition } from "../../provider/contract/definition";
import { definitions } from "../../provider/contract/kinds";
import { coreOf, docOf, fieldsOf } from "../../provider/contract/schema";
import { trailDefinition } from "../../provider/contract/trail";
import { providerInputs } from "../../provider/contract/provider";
import { argumentsOf, componentArguments, groupArguments, objectOf, type Argument } from "./arguments";
import { PROVIDER_TEXT } from "./provider";
import { outputFields } from "./resource";
import { meaning, paragraphs } from "./text";
import { choices, plainType } from "./types";

/** Every argument and output in tables, as Markdown. */
export function reference(): string {
  const { type, description, inputs, outputs } = trailDefinition;
  return `<!-- Written by \`npm run generate\` from provider/contract. Edit the texts there. -->

# Reference

Every argument and output. The keys of the stack's configuration are the arguments of \`${type}\`.

${section(type, description, inputRows(componentArguments(inputs), componentArguments), valueRows(Object.entries(fieldsOf(outputs))))}
${definitions.map(resourceSection).join("\n")}
${section("Provider", PROVIDER_TEXT, inputRows(groupArguments(providerInputs), groupArguments), [])}`;
}

function resourceSection(definition: Definition): string {
  const { type, description } = definition;
  return section(
    type,
    description,
    inputRows(argumentsOf(definition), groupArguments),
    valueRows(outputFields(definition)),
  );
}

function section(type: string, description: string, inputs: string[], outputs: string[]): string {
  return `## ${type}

${paragraphs(description).join("\n\n")}

| argument | type | default | meaning |
| --- | --- | --- | --- |
${inputs.join("\n")}
${outputs.length === 0 ? "" : outputTable(outputs)}`;
}

function outputTable(rows: readonly string[]): string {
  return `
| output | type | meaning |
| --- | --- | --- |
${rows.join("\n")}
`;
}

/** A row for each argument, and for each field of an argument that is an object for users to fill in. */
function inputRows(
  list: readonly Argument[],
  within: (group: z.ZodObject) => Argument[],
  prefix = "",
): string[] {
  return list.flatMap((argument) => {
    const group = docOf(argument.field).filledInBy === undefined ? objectOf(argument.field) : undefined;
    const name = `${prefix}${argument.name}`;
    return [
      tableRow(code(name), typeText(argument.field), argument.default ?? "required", argument.meaning),
      ...(group === undefined ? [] : inputRows(within(group), within, `${name}.`)),
    ];
  });
}

function valueRows(fields: readonly (readonly [string, z.ZodType])[], prefix = ""): string[] {
  return fields.flatMap(([key, field]) => {
    const group = objectOf(field);
    const name = `${prefix}${key}`;
    return [
      tableRow(code(name), typeText(field), meaning(key, field)),
      ...(group === undefined ? [] : valueRows(Object.entries(fieldsOf(group)), `${name}.`)),
    ];
  });
}

function typeText(field: z.ZodType): string {
  const core = coreOf(field);
  if (core instanceof z.ZodObject) return "object";
  return code(core instanceof z.ZodEnum ? choices(core) : plainType(core));
}

function tableRow(...cells: string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function code(text: string): string {
  return `\`${text}\``;
}
