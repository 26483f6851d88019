import * as z from "zod";
import { givenSelections, selection } from "../../provider/contract/fields/selection";
import { branchTarget, databaseTarget } from "../../provider/contract/fields/target";
import { coreOf, docOf, fieldsOf } from "../../provider/contract/schema";
import { trailDefaults, trailDefinition } from "../../provider/contract/trail";
import { componentArguments, groupArguments, objectOf } from "./arguments";
import { docComment, meaning } from "./text";
import {
  argumentsInterface,
  argumentsType,
  AT_MOST_ONE_SELECTION,
  choiceType,
  isShared,
  nameOf,
  ONE_SELECTION,
  outputProperty,
  selectionChoice,
  sharedImport,
  sharedObjects,
  valuesInterface,
} from "./types";

const { type, description, inputs, outputs } = trailDefinition;

/** The types of what goes into the component and comes out of it, and what it does without an argument. */
export function componentTypes(): string {
  const list = componentArguments(inputs);
  const parts = list.flatMap(({ field }) => {
    const core = coreOf(field);
    if (core instanceof z.ZodObject && isShared(core)) return [];
    if (core instanceof z.ZodObject)
      return [argumentsInterface(nameOf(field), meaning(type, core), componentArguments(core))];
    return core instanceof z.ZodEnum && docOf(core).typeName !== undefined
      ? [choiceType(nameOf(core), core)]
      : [];
  });
  const results = Object.values(fieldsOf(outputs)).flatMap((field) => {
    const object = objectOf(field);
    return object === undefined ? [] : [valuesInterface(nameOf(field), object)];
  });
  const own = argumentsType(`${type}Args`, `Arguments of {@link ${type}}.`, list, AT_MOST_ONE_SELECTION);
  return `import type { Input } from "@pulumi/pulumi";
import type { Branch } from "./branch";
${sharedImport(own)}

${own}

${[...parts, ...results].join("\n\n")}

${docComment("What the component itself does without an argument; the provider fills in the other defaults.")}
export const TRAIL_DEFAULTS = ${JSON.stringify(trailDefaults)} as const;
`;
}

/** The class of the component, which leaves the work to components/trail.ts. */
export function componentClass(): string {
  const fields = Object.entries(fieldsOf(outputs));
  const types = fields.flatMap(([, field]) => (objectOf(field) === undefined ? [] : [nameOf(field)]));
  return `import { ComponentResource, type ComponentResourceOptions, type Output } from "@pulumi/pulumi";
import { trailDefinition } from "../../provider/contract/trail";
import { checkArguments } from "../arguments";
import { typeToken } from "../binding";
import { placeOf } from "../place";
import { declareTrail } from "../trail";
import type { ${[`${type}Args`, ...types].join(", ")} } from "./trailTypes";

${docComment(description)}
export class ${type} extends ComponentResource {
${fields.map(([name, field]) => outputProperty(name, field, "readonly")).join("\n")}

  constructor(name: string, args: ${type}Args, opts?: ComponentResourceOptions) {
    const place = placeOf(args);
    checkArguments(trailDefinition, name, place.args);
    super(typeToken("${type}"), name, {}, opts);
    const outputs = declareTrail(this, name, place);
${fields.map(([name]) => `    this.${name} = outputs.${name};`).join("\n")}
    this.registerOutputs(outputs);
  }
}
`;
}

/** Groups of arguments that several resources share, for functions that take a part of them. */
export function sharedTypes(): string {
  const groups = {
    BranchTargetArgs: { fields: branchTarget, text: "The Neon branch a resource works on." },
    DatabaseArgs: { fields: databaseTarget, text: "The database a resource works in." },
    SelectionArgs: {
      fields: selection,
      text: "Which tables are tracked: exactly one of `schemas`, `tables` and `allTables`.",
    },
  };
  const interfaces = Object.entries(groups).map(([name, { fields, text }]) =>
    argumentsType(name, text, groupArguments(z.object(fields))),
  );
  const objects = sharedObjects().map(([name, group]) =>
    argumentsInterface(name, meaning(name, group), groupArguments(group)),
  );
  const excluding = groupArguments(z.object(selection)).filter(
    ({ name, field }) => givenSelections({ [name]: field }).length > 0,
  );
  const choices = [
    selectionChoice(ONE_SELECTION, "Exactly one of the arguments that exclude each other.", excluding, false),
    selectionChoice(
      AT_MOST_ONE_SELECTION,
      "At most one of the arguments that exclude each other.",
      excluding,
      true,
    ),
  ];
  return `import type { Input } from "@pulumi/pulumi";\n\n${[...interfaces, ...objects, ...choices].join("\n\n")}\n`;
}
