import { capabilities } from "../../contract/capabilities";
import type { PublicationFacts } from "../../contract/catalog";

/** The options of a publication of this module, as `ALTER PUBLICATION ... SET` and `CREATE PUBLICATION ... WITH` take them. */
export function optionsSql(serverVersion: number): string {
  // Before 18 the option does not exist, and generated columns are never published. From 18 on, without the option every
  // UPDATE and DELETE of a FULL table with a stored generated column would fail.
  const generated = capabilities(serverVersion).publishesGeneratedColumns
    ? ", publish_generated_columns = stored"
    : "";
  return `(publish = 'insert, update, delete, truncate', publish_via_partition_root = false${generated})`;
}

/** The same options as facts of the catalog. */
export function optionFacts(
  serverVersion: number,
): Pick<PublicationFacts, "insert" | "update" | "delete" | "truncate" | "viaRoot" | "generatedColumns"> {
  const generatedColumns = capabilities(serverVersion).publishesGeneratedColumns ? "stored" : null;
  return { insert: true, update: true, delete: true, truncate: true, viaRoot: false, generatedColumns };
}

/** The options that are not as {@link optionsSql} sets them, by name. */
export function wrongOptions(publication: PublicationFacts): string[] {
  const { insert, update, delete: deletes, truncate, viaRoot, generatedColumns } = publication;
  const wrong: string[] = [];
  if (!insert || !update || !deletes || !truncate) wrong.push("publish");
  if (viaRoot) wrong.push("publish_via_partition_root");
  if (generatedColumns === "none") wrong.push("publish_generated_columns");
  return wrong;
}
