import * as z from "zod";
import { UserError } from "../contract/errors";
import type { AnyKind } from "../contract/kind";
import { describeMistakes, mistakesIn, pathText, type Mistake } from "../contract/mistakes";
import { fieldsOf, withDefaults } from "../contract/schema";
import { anotherBy, GENERATION } from "./living";
import { differences, isUnknown, type Values } from "./values";

/** A state as the engine sends it. */
export interface Sent {
  readonly urn: string;
  /** The resource's id; `undefined` where the engine does not send it. */
  readonly id?: string;
  /** Outputs of the last run. They repeat the inputs. */
  readonly state: Values;
  /** Inputs of the last run, which the engine keeps beside the outputs; `undefined` where it does not send them. */
  readonly inputs?: Values;
}

/**
 * The state as the handlers take it: the fields of the contract, with their defaults. A state can have been edited, moved
 * from another resource or written by another release, and a handler that guesses from a wrong one would change or
 * remove somebody else's object. An older state may lack outputs.
 *
 * @param names paths of the inputs that are names of declaring resources: the engine renews only the inputs of a
 *   resource that changes in nothing else
 * @throws UserError that names the resource and the field, for everything that does not fit
 */
export function stateOf(kind: AnyKind, names: ReadonlySet<string>, { urn, id, state, inputs }: Sent): Values {
  const { definition } = kind;
  const schemas = [Object.keys(definition.inputs.shape), Object.keys(definition.outputs.shape)] as const;
  const [given, made] = schemas.map((names) => pick(state, names)) as [Values, Values];
  const checked = mistakesIn(definition.inputs, given, isUnknown);
  const mistakes = [...checked.mistakes, ...outputMistakes(definition.outputs, made)];
  const generation = z.int().min(0).optional().safeParse(state[GENERATION]);
  if (!generation.success)
    mistakes.push({ path: GENERATION, steps: [GENERATION], message: "must be a number" });
  if (mistakes.length > 0) throw doesNotFit(urn, describeMistakes(mistakes).split("\n").join("; "));

  const values = { ...made, ...checked.value };
  const differing =
    inputs === undefined
      ? []
      : inputsApart(checked.value, made, withDefaults(definition.inputs, inputs), names);
  if (differing.length > 0)
    throw doesNotFit(urn, `${differing.join(", ")} of its outputs is not that of its inputs`);
  // A database that is recorded by its oid may have been renamed since the id was made.
  const database = values["databaseOid"] === undefined ? values["database"] : "";
  if (id !== undefined && !namesObject(id, kind.id({ ...values, branch: undefined, database })))
    throw doesNotFit(urn, `its id "${id}" is that of another object`);
  return generation.data === undefined ? values : { ...values, [GENERATION]: generation.data };
}

/**
 * The inputs in which outputs and inputs of one state disagree. Outputs repeat the inputs, apart from other names of the
 * same branch, database or declaring resource.
 */
function inputsApart(repeated: Values, made: Values, inputs: Values, names: ReadonlySet<string>): string[] {
  const places = ["branch", "database"].filter((key) => key in inputs || key in repeated);
  const elsewhere = anotherBy(places, { ...made, ...repeated }, inputs);
  const apart = [...differences(repeated, inputs)].map(([path]) => path);
  return [...elsewhere, ...apart.filter((path) => !places.includes(path) && !names.has(path))];
}

function pick(values: Values, names: readonly string[]): Values {
  return Object.fromEntries(names.flatMap((name) => (name in values ? [[name, values[name]]] : [])));
}

function outputMistakes(schema: z.ZodObject, values: Values): Mistake[] {
  return Object.entries(fieldsOf(schema)).flatMap(([name, field]) => {
    const result = field.optional().safeParse(values[name]);
    if (result.success) return [];
    return result.error.issues.map(({ path, message }) => {
      const steps = [name, ...path];
      return { path: pathText(steps), steps, message: `does not fit (${message})` };
    });
  });
}

/**
 * Whether an id can be that of the object. Branch and database may have been named in another way when the id was made,
 * so only the other parts count.
 */
function namesObject(id: string, parts: string): boolean {
  const known = id.split("/");
  return parts.split("/").every((part) => part === "" || known.includes(part));
}

function doesNotFit(urn: string, why: string): UserError {
  return new UserError(
    `The state of ${urn} cannot be used: ${why}. Nothing was changed. Put back the state as it was (pulumi stack export --version, pulumi stack import), or remove this resource from it: pulumi state delete '${urn}'.`,
  );
}
