import * as z from "zod";
import { UserError } from "../provider/contract/errors";
import { databaseTarget } from "../provider/contract/fields/target";
import { describeMistakes, mistakesIn } from "../provider/contract/mistakes";
import type { RecordedTarget, Target } from "../provider/contract/target";
import { closest } from "../provider/contract/wording";

import { trailsInStack } from "./check/check";
import type { ProviderSettings, StackContent } from "./pulumi";

/** A database, and how its provider is configured. */
export interface OwnersDatabase {
  readonly target: Target & { readonly database: string };
  /** The ids that the stack's state has recorded, so that a name that now means another branch is noticed. */
  readonly recorded: Partial<RecordedTarget>;
  readonly settings: ProviderSettings;
}

const schema = z.strictObject(databaseTarget);

/**
 * The database that arguments name.
 *
 * @throws UserError with every mistake in the arguments
 */
export function databaseByArguments(target: Readonly<Record<string, unknown>>): OwnersDatabase {
  const given = Object.fromEntries(Object.entries(target).filter(([, value]) => value !== undefined));
  const { value, mistakes } = mistakesIn(schema, given);
  if (mistakes.length > 0) throw new UserError(describeMistakes(mistakes));
  return { target: schema.parse(value), recorded: {}, settings: {} };
}

/**
 * The database of one trail of a stack.
 *
 * @param name name of the trail's `BemiAuditTrail`. Default: the only trail of the stack.
 * @throws UserError if the stack has no such trail, or has several and none is named
 */
export function databaseInStack(content: StackContent, name: string | undefined): OwnersDatabase {
  const found = trailsInStack(content).flatMap(({ trail, settings }) => {
    const resource = trail.resources.find(({ inputs }) => typeof inputs["database"] === "string");
    return resource === undefined ? [] : [{ name: trail.name, resource, settings }];
  });
  const names = found.map((each) => each.name);
  const [first, ...others] = name === undefined ? found : found.filter((each) => each.name === name);
  if (first !== undefined && others.length === 0) {
    const { projectId, branch, database } = first.resource.inputs;
    const { target } = databaseByArguments({ projectId, branch, database });
    return { target, recorded: first.resource.outputs, settings: first.settings };
  }
  const has = `The stack has ${names.length === 1 ? "the trail" : "the trails"} ${names.join(", ")}`;
  if (names.length === 0)
    throw new UserError(
      "No resource of the stack names a database. Give the database with --project-id and --database.",
    );
  if (first !== undefined) throw new UserError(`${has}. Name one of them with --trail.`);
  const near = closest(name ?? "", names);
  throw new UserError(
    `The stack has no trail ${name ?? ""}. ${near === undefined ? `${has}.` : `Did you mean ${near}?`}`,
  );
}
