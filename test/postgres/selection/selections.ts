import fc from "fast-check";
import type { TableFacts } from "../../../provider/contract/catalog";
import {
  formatTableName,
  parseTableName,
  quoteTableName,
} from "../../../provider/postgres/catalog/tableNames";
import type { Selection } from "../../../provider/postgres/selection/selection";
import { table } from "../../support/catalog";

/** Schemas of generated tables; the last two need quotes in `schema.table`. */
export const SCHEMAS = ["public", "shop", "Odd.Schema", 'quo"ted'] as const;

const NAMES = ["orders", "Orders", "items", "my.table", 'say "hi"', "☂", "x".repeat(63)] as const;

/** The tables of a database: ordinary ones, and partitioned ones with partitions in any schema. */
export const tables: fc.Arbitrary<readonly TableFacts[]> = fc
  .uniqueArray(
    fc.record({
      schema: fc.constantFrom(...SCHEMAS),
      name: fc.constantFrom(...NAMES),
      kind: fc.constantFrom("ordinary", "ordinary", "partitioned", "partition", "unlogged", "extension"),
      mayAlter: fc.boolean(),
    }),
    { maxLength: 12, selector: ({ schema, name }) => `${schema}\0${name}` },
  )
  .map((list) => {
    const made: TableFacts[] = [];
    for (const { schema, name, kind, mayAlter } of list) {
      const parent = kind === "partition" ? made.find(({ partitioned }) => partitioned) : undefined;
      made.push({
        ...table("public.any"),
        schema,
        name,
        mayAlter,
        owner: mayAlter ? "neondb_owner" : "boss",
        partitioned: kind === "partitioned",
        ancestors: parent === undefined ? [] : [parent.oid],
        persistence: kind === "unlogged" ? "unlogged" : "permanent",
        extensionMember: kind === "extension",
      });
    }
    return made;
  });

/** Selections of these tables, with exclusions or without. */
export function selections(all: readonly TableFacts[]): fc.Arbitrary<Selection> {
  const names = all.map(formatTableName);
  const exclusions = fc.option(fc.subarray(names), { nil: undefined });
  const named: fc.Arbitrary<Selection>[] =
    names.length === 0
      ? []
      : [fc.record({ tables: fc.subarray(names, { minLength: 1 }), excludeTables: exclusions })];
  return fc.oneof(
    fc.record({ schemas: fc.subarray([...SCHEMAS], { minLength: 1 }), excludeTables: exclusions }),
    fc.record({ allTables: fc.constant(true as const), excludeTables: exclusions }),
    ...named,
  );
}

/** The same selection written in another way: its names in another order, and all parts of table names quoted. */
export function respelled(selection: Selection): fc.Arbitrary<Selection> {
  const shuffled = (list: readonly string[]): fc.Arbitrary<string[]> =>
    fc.shuffledSubarray([...list], { minLength: list.length });
  const quoted = (list: readonly string[]): fc.Arbitrary<string[]> =>
    shuffled(list.map((name) => quoteTableName(parseTableName(name))));
  const { schemas, tables: named, allTables, excludeTables } = selection;
  const nothing = fc.constant(undefined);
  return fc
    .record({
      schemas: schemas === undefined ? nothing : shuffled(schemas),
      tables: named === undefined ? nothing : quoted(named),
      excludeTables: excludeTables === undefined ? nothing : quoted(excludeTables),
    })
    .map((parts) => ({ ...parts, allTables }));
}
