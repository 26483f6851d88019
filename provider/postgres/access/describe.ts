import type { Catalog } from "../../contract/catalog";
import { counted, firstFew } from "../../contract/wording";
import { MODULE_SCHEMA } from "../catalog/moduleSchema";
import { compareNames, formatTableName, type TableName } from "../catalog/tableNames";
import { namesOf, type AccessStep } from "./plan";
import type { DefaultPrivilege, Missing } from "./privileges";

/** What the steps do, for a preview. */
export function describeSteps(steps: readonly AccessStep[]): string[] {
  return steps.map((step) => {
    const role = `Role ${step.role}`;
    switch (step.step) {
      case "record privileges":
        return `What role ${step.role} may read already is recorded in the comment of schema ${MODULE_SCHEMA}, so that a destroy leaves it.`;
      case "grant usage":
        return `${role} gets USAGE on ${schemas(step.schemas)}.`;
      case "grant select":
        return `${role} gets SELECT on ${tables(step.tables)}.`;
      case "grant default privileges":
        return `${role} gets ${future(step.privileges)}.`;
      case "revoke default privileges":
        return `${role} loses ${future(step.privileges)}.`;
      case "revoke select":
        return `${role} loses SELECT on ${tables(step.tables)}.`;
      case "revoke usage":
        return `${role} loses USAGE on ${schemas(step.schemas)}.`;
      case "drop record":
        return `What role ${step.role} could read before is no longer recorded.`;
    }
  });
}

/** A text for each kind of privilege that the role lacks. */
export function describeMissing(missing: Missing, catalog: Catalog): string[] {
  const lines: string[] = [];
  const names = namesOf(missing.tables, catalog).map(formatTableName);
  if (missing.schemas.length > 0)
    lines.push(`USAGE on schema ${firstFew(missing.schemas.map(({ schema }) => schema))}`);
  if (names.length > 0) lines.push(`SELECT on ${firstFew(names)}`);
  if (missing.defaults.length > 0)
    lines.push(
      `default privileges on what ${firstFew(ownersOf(missing.defaults))} will create ${placesOf(missing.defaults)}`,
    );
  return lines;
}

function schemas(names: readonly string[]): string {
  return `${counted(names.length, "schema")}: ${firstFew([...names].sort())}`;
}

function tables(names: readonly TableName[]): string {
  return `${counted(names.length, "table")}: ${firstFew([...names].sort(compareNames).map(formatTableName))}`;
}

function future(privileges: readonly DefaultPrivilege[]): string {
  return `access to what ${firstFew(ownersOf(privileges))} will create ${placesOf(privileges)} (${counted(privileges.length, "default privilege")})`;
}

function placesOf(privileges: readonly DefaultPrivilege[]): string {
  const places = [...new Set(privileges.flatMap(({ schema }) => schema ?? []))];
  return places.length === 0 ? "in the database" : `in ${schemas(places)}`;
}

function ownersOf(privileges: readonly DefaultPrivilege[]): string[] {
  return [...new Set(privileges.map(({ owner }) => owner))].sort();
}
