import type { z } from "zod";
import { secretsOf, type Definition } from "../../provider/contract/definition";
import { docOf, fieldsOf } from "../../provider/contract/schema";
import { argumentsOf, groupArguments, objectOf } from "./arguments";
import { docComment, meaning } from "./text";
import { argumentsInterface, nameOf, outputProperty } from "./types";

/** The fields that a resource has as outputs: inputs that can be read back, then what the handler computes. */
export function outputFields({ inputs, outputs, readBack }: Definition): [string, z.ZodType][] {
  const given = fieldsOf(inputs);
  const back = Object.entries(given).filter(([name]) => readBack.includes(name));
  return [...back, ...Object.entries(fieldsOf(outputs))];
}

/** The module of one resource: types of its arguments, and its class. */
export function resourceModule(definition: Definition): string {
  const { type, description, inputs, outputs } = definition;
  const list = argumentsOf(definition);
  const groups = list.flatMap(({ field }) => {
    const group = objectOf(field);
    return group === undefined
      ? []
      : [argumentsInterface(nameOf(field), meaning(type, group), groupArguments(group))];
  });
  const fields = outputFields(definition);
  const filledIn = Object.entries(fieldsOf(inputs)).filter(
    ([, field]) => docOf(field).filledInBy === "resource",
  );
  const binding = {
    type,
    outputs: fields.map(([name]) => name),
    secrets: secretsOf(outputs),
    filledIn: filledIn.map(([name]) => name),
  };
  return `import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import { NeonBemiResource } from "../binding";

${argumentsInterface(`${type}Args`, `Arguments of {@link ${type}}.`, list)}

${groups.join("\n\n")}

${docComment(description)}
export class ${type} extends NeonBemiResource {
${fields.map(([name, field]) => outputProperty(name, field, "declare readonly")).join("\n")}

  constructor(name: string, args: ${type}Args, opts?: CustomResourceOptions) {
    super(${JSON.stringify(binding)}, name, { ...args }, opts);
  }
}
`;
}
