import type * as z from "zod";
import type { Definition } from "../../provider/contract/definition";
import { fieldsOf } from "../../provider/contract/schema";
import { argumentsOf, groupArguments, objectOf } from "./arguments";
import { docComment, meaning } from "./text";
import { argumentsType, isShared, nameOf, outputProperty, sharedImport } from "./types";

/** The fields that a resource has as outputs: inputs that can be read back, then what the handler computes. */
export function outputFields({ inputs, outputs, readBack }: Definition): [string, z.ZodType][] {
  const given = fieldsOf(inputs);
  const back = Object.entries(given).filter(([name]) => readBack.includes(name));
  return [...back, ...Object.entries(fieldsOf(outputs))];
}

/** The module of one resource: types of its arguments, and its class. */
export function resourceModule(definition: Definition): string {
  const { type, name, description } = definition;
  const list = argumentsOf(definition);
  const groups = list.flatMap(({ field }) => {
    const group = objectOf(field);
    return group === undefined || isShared(group)
      ? []
      : [argumentsType(nameOf(field), meaning(type, group), groupArguments(group))];
  });
  const declarations = [argumentsType(`${type}Args`, `Arguments of {@link ${type}}.`, list), ...groups].join(
    "\n\n",
  );
  return `import type { CustomResourceOptions, Input, Output } from "@pulumi/pulumi";
import { ${name}Definition } from "../../provider/contract/kinds/${name}";
import { NeonBemiResource } from "../binding";
${sharedImport(declarations)}

${declarations}

${docComment(description)}
export class ${type} extends NeonBemiResource {
${outputFields(definition)
  .map(([key, field]) => outputProperty(key, field, "declare readonly"))
  .join("\n")}

  constructor(name: string, args: ${type}Args, opts?: CustomResourceOptions) {
    super(${name}Definition, name, { ...args }, opts);
  }
}
`;
}
