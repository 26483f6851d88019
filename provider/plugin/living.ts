import { sameBranch, sameDatabase, type Target } from "../contract/target";
import { UserError } from "../contract/errors";
import type { Values } from "./values";

/** The property of a state that counts how often the resource was replaced. Left out: never. */
export const GENERATION = "generation";

/**
 * The inputs, of those that make another object, in which two sets of values differ. The branch's name and its id, or
 * nothing for the default branch, can name the same branch, and a database may have been renamed.
 *
 * @param state inputs and what was recorded with them
 */
export function anotherBy(replaceOn: readonly string[], state: Values, inputs: Values): readonly string[] {
  return replaceOn.filter((key) => {
    if (key === "branch") return !sameBranch(state as unknown as Target, placeOf(inputs, state));
    if (key === "database") return !sameDatabase(state as unknown as Target, placeOf(inputs, state));
    return JSON.stringify(state[key]) !== JSON.stringify(inputs[key]);
  });
}

/** The inputs as a target in the state's project, because another project is a difference of its own. */
function placeOf(inputs: Values, { projectId }: Values): Target {
  return { ...inputs, projectId } as unknown as Target;
}

export function generationOf(state: Values): number {
  const generation = state[GENERATION];
  if (generation === undefined) return 0;
  if (typeof generation === "number") return generation;
  throw new UserError(`${GENERATION} must be a number`);
}

/**
 * The states that this process has seen of each resource. Pulumi makes the replacement of a resource first, and then has
 * the old one deleted. Where both are the same object in the database or in Neon, the replacement has to take over what
 * exists, and the delete has to leave it alone. Pulumi reads every resource before it changes any, also those that an
 * interrupted run left to be deleted; so this process knows what it replaces, and whether a replacement exists.
 */
export class Living {
  readonly #newest = new Map<string, Values>();

  /** Notes a state of the resource that was read, made or changed. */
  note(urn: string, state: Values): void {
    const known = this.#newest.get(urn);
    if (known === undefined || generationOf(known) <= generationOf(state)) this.#newest.set(urn, state);
  }

  /** The newest state of the resource; `undefined` when this process has seen none, or has deleted it. */
  newest(urn: string): Values | undefined {
    return this.#newest.get(urn);
  }

  /**
   * The newest states of the other resources that are about the same object as these inputs or this state: two resources
   * of a program may share it, and one that the program has renamed exists under both names until the old one is deleted.
   *
   * @param replaceOn inputs that tell objects of the kind apart
   */
  others(urn: string, replaceOn: readonly string[], values: Values): readonly Values[] {
    return [...this.#newest].flatMap(([other, state]) =>
      other !== urn && anotherBy(replaceOn, state, values).length === 0 ? [state] : [],
    );
  }

  forget(urn: string): void {
    this.#newest.delete(urn);
  }
}
