import { capabilities } from "../../contract/capabilities";
import type { PublicationFacts } from "../../contract/catalog";

/** An option of a publication that this module sets. */
export type PublicationOption = "publish" | "publish_via_partition_root" | "publish_generated_columns";

/**
 * The options as `ALTER PUBLICATION ... SET` and `CREATE PUBLICATION ... WITH` take them.
 *
 * @param names which of them; default: all that the server has
 */
export function optionsSql(serverVersion: number, names?: readonly PublicationOption[]): string {
  const options: Partial<Record<PublicationOption, string>> = {
    publish: "'insert, update, delete, truncate'",
    publish_via_partition_root: "false",
    // Before 18 the option does not exist, and generated columns are never published. From 18 on, without the option
    // every UPDATE and DELETE of a FULL table with a stored generated column would fail.
    ...(capabilities(serverVersion).publishesGeneratedColumns ? { publish_generated_columns: "stored" } : {}),
  };
  const set = Object.entries(options).filter(
    ([name]) => names === undefined || names.includes(name as PublicationOption),
  );
  return `(${set.map(([name, value]) => `${name} = ${value}`).join(", ")})`;
}

/** The same options as facts of the catalog. */
export function optionFacts(
  serverVersion: number,
): Pick<PublicationFacts, "insert" | "update" | "delete" | "truncate" | "viaRoot" | "generatedColumns"> {
  const generatedColumns = capabilities(serverVersion).publishesGeneratedColumns ? "stored" : null;
  return { insert: true, update: true, delete: true, truncate: true, viaRoot: false, generatedColumns };
}

/** The options that {@link wrongOptions} names, with the values that they have now, as SQL. */
export function describeWrongOptions(publication: PublicationFacts): string {
  const operations = OPERATIONS.filter((key) => publication[key]);
  const values: Record<PublicationOption, string> = {
    publish: `'${operations.join(", ")}'`,
    publish_via_partition_root: String(publication.viaRoot),
    publish_generated_columns: "none",
  };
  return wrongOptions(publication)
    .map((name) => `${name} = ${values[name]}`)
    .join(", ");
}

/** What a publication can publish, by the names of the facts. */
export const OPERATIONS = ["insert", "update", "delete", "truncate"] as const;

/** The options that are not as {@link optionsSql} sets them, by name. */
export function wrongOptions(publication: PublicationFacts): PublicationOption[] {
  const { insert, update, delete: deletes, truncate, viaRoot, generatedColumns } = publication;
  const wrong: PublicationOption[] = [];
  if (!insert || !update || !deletes || !truncate) wrong.push("publish");
  if (viaRoot) wrong.push("publish_via_partition_root");
  if (generatedColumns === "none") wrong.push("publish_generated_columns");
  return wrong;
}
