import fc from "fast-check";
import type { Catalog, ListedIn, PublicationFacts, TableFacts } from "../../../provider/contract/catalog";
import type { PublicationInputs } from "../../../provider/contract/kinds/publication";
import { formatTableName } from "../../../provider/postgres/catalog/tableNames";
import { encodeMark, type Mark } from "../../../provider/postgres/ownership/mark";
import { withRecord } from "../../../provider/postgres/record/moduleSchema";
import { emptyRecord } from "../../../provider/postgres/record/record";
import { catalogOf, publication, table } from "../../support/catalog";
import type { Model } from "./planModel";

/** A database in any condition, and what is asked for. */
export interface Situation extends Model {
  readonly inputs: PublicationInputs;
  /** The selection of the run before; `undefined` for a create. */
  readonly state: Pick<PublicationInputs, "schemas" | "tables" | "allTables" | "excludeTables"> | undefined;
}

export const MARK: Mark = {
  projectId: "cool-darkness-123456",
  branchId: "br-cool-sea-123456",
  database: "neondb",
  managedBy: "shop/production/orders",
};

/** The mark of the trail's claim, which always has an id. */
export const CLAIM_MARK = { ...MARK, id: "0123456789abcdef" };

const SCHEMAS = ["public", "shop", 'Odd "Schema".x'];
/** The module's own, one that an interrupted replacement has left, and one of somebody else. */
const PUBLICATIONS = ["bemi", "bemi_old", "theirs"] as const;

const mostly = (usual: boolean) => fc.integer({ min: 0, max: 5 }).map((roll) => (roll === 5) !== usual);

const oneTable = fc.record({
  schema: fc.constantFrom(...SCHEMAS),
  mayAlter: mostly(true),
  persistence: fc.constantFrom(
    "permanent" as const,
    "permanent" as const,
    "permanent" as const,
    "unlogged" as const,
  ),
  identity: fc.constantFrom(
    "default" as const,
    "full" as const,
    "full" as const,
    "nothing" as const,
    "index" as const,
  ),
  identityIndex: fc.option(fc.constant({ oid: 1, name: "by_id", columns: ["id"] })),
  hasPrimaryKey: fc.boolean(),
  extensionMember: mostly(false),
  storedGenerated: mostly(false),
  virtualGenerated: mostly(false),
  listed: fc.array(
    fc.record({
      publication: fc.constantFrom(...PUBLICATIONS),
      columnList: mostly(false),
      rowFilter: mostly(false),
    }),
    { maxLength: 2 },
  ),
});
type OneTable = typeof oneTable extends fc.Arbitrary<infer Value> ? Value : never;

const family = fc.record({
  root: oneTable,
  /** Partitions, where there are any: with or without partitions of their own. */
  partitions: fc.option(
    fc.array(fc.record({ facts: oneTable, nested: fc.array(oneTable, { maxLength: 2 }) }), { maxLength: 2 }),
    {
      freq: 2,
    },
  ),
});

const identityOfTable = fc.constantFrom("full" as const, "primaryKey" as const);

const onePublication = fc.record({
  allTables: mostly(false),
  schemas: fc.subarray(SCHEMAS, { maxLength: 1 }),
  bySchema: mostly(false),
  insert: mostly(true),
  update: mostly(true),
  delete: mostly(true),
  viaRoot: mostly(false),
  generatedColumns: fc.constantFrom("none" as const, "stored" as const),
});

/** Databases in any condition, including those that only changes by hand can bring about. */
export const situations: fc.Arbitrary<Situation> = fc
  .record({
    version: fc.constantFrom(140018, 150013, 170010, 180004),
    families: fc.array(family, { minLength: 1, maxLength: 5 }),
    publications: fc.record({
      bemi: fc.option(onePublication),
      bemi_old: fc.option(onePublication, { freq: 1 }),
      theirs: fc.option(onePublication),
    }),
    triggers: fc.constantFrom("none", "enabled", "disabled"),
    ownSchema: fc.boolean(),
    recorded: fc.array(fc.nat(9), { maxLength: 4 }),
    locked: fc.array(fc.nat(9), { maxLength: 2 }),
    selections: fc.tuple(fc.nat(2), fc.option(fc.nat(2)), fc.array(fc.nat(9), { maxLength: 3 })),
    trackNewTables: fc.boolean(),
    identity: fc.option(
      fc.record({
        default: identityOfTable,
        tables: fc.dictionary(fc.nat(9).map(String), identityOfTable, { maxKeys: 3 }),
      }),
    ),
  })
  .map((drawn) => {
    const names = PUBLICATIONS.filter((name) => drawn.publications[name] !== null);
    const has = { generated: drawn.version >= 180000, partial: drawn.version >= 150000 };
    const listing = names.filter((name) => drawn.publications[name]?.allTables === false);
    const tables = tablesOf(drawn.families, listing, has);
    const comment = encodeMark(MARK);
    const publications = names.map((name, oid): PublicationFacts => {
      const { bySchema, schemas, generatedColumns, ...rest } = drawn.publications[name] ?? {
        bySchema: false,
        schemas: [],
        generatedColumns: "none" as const,
      };
      return publication(name, {
        oid,
        ...rest,
        schemas: has.partial && bySchema && listing.includes(name) ? schemas : [],
        generatedColumns: has.generated ? generatedColumns : null,
        comment: name === "theirs" ? null : comment,
      });
    });
    const claim = { ...CLAIM_MARK, publication: "bemi", selections: [{ allTables: true as const }] };
    const triggers = ["_bemi_track"].map((name) => ({
      name,
      enabled: drawn.triggers === "enabled",
      owner: "neondb_owner",
      comment,
    }));
    const plain = catalogOf({
      version: drawn.version,
      tables,
      publications,
      schemas: SCHEMAS.map((name, oid) => ({ oid, name, owner: "neondb_owner", comment: null })),
      eventTriggers: drawn.triggers === "none" ? [] : triggers,
    });
    const catalog = drawn.ownSchema ? withRecord(plain, { ...emptyRecord(5), claims: [claim] }) : plain;
    const record = new Map(
      (drawn.ownSchema ? drawn.recorded : []).flatMap((index) => {
        const facts = tables[index];
        return facts === undefined
          ? []
          : [[facts.oid, { identity: "default" as const, identityIndex: null }]];
      }),
    );
    const [now, before, picked] = drawn.selections;
    return {
      catalog,
      record,
      locked: new Set(drawn.locked.flatMap((index) => tables[index]?.oid ?? [])),
      inputs: {
        projectId: MARK.projectId,
        database: MARK.database,
        managedBy: MARK.managedBy,
        name: "bemi",
        adopt: false,
        trackNewTables: drawn.trackNewTables,
        ...selectionOf(now, tables, picked),
        ...(drawn.identity === null ? {} : { identity: identityOf(drawn.identity, tables) }),
      },
      state: before === null ? undefined : selectionOf(before, tables, []),
    };
  });

/** The choices by the names of the tables, of which their numbers were drawn. */
function identityOf(
  drawn: NonNullable<PublicationInputs["identity"]>,
  tables: readonly TableFacts[],
): PublicationInputs["identity"] {
  const named = Object.entries(drawn.tables ?? {}).flatMap(([number, choice]) => {
    const facts = tables[Number(number)];
    return facts === undefined ? [] : [[formatTableName(facts), choice] as const];
  });
  return { ...drawn, tables: Object.fromEntries(named) };
}

function tablesOf(
  families: readonly (typeof family extends fc.Arbitrary<infer Value> ? Value : never)[],
  publications: readonly string[],
  has: { readonly generated: boolean; readonly partial: boolean },
): TableFacts[] {
  const tables: TableFacts[] = [];
  const add = (drawn: OneTable, ancestors: readonly TableFacts[], partitioned: boolean): TableFacts => {
    const { schema, listed, ...facts } = drawn;
    const entries = listed.filter((entry) => publications.includes(entry.publication));
    const listedIn = new Map(
      entries.map((entry): [string, ListedIn] => [
        entry.publication,
        has.partial ? entry : { ...entry, columnList: false, rowFilter: false },
      ]),
    );
    const [parent] = ancestors;
    const made = table("public.x", {
      ...facts,
      schema,
      // Names that are kept apart by their case, and need quotes.
      name: `T${tables.length} "x".y`,
      owner: facts.mayAlter ? "neondb_owner" : "other",
      identityIndex: facts.identity === "index" ? facts.identityIndex : null,
      partitioned,
      ancestors: ancestors.map(({ oid }) => oid),
      // Partitions have the keys of their parent, its persistence, and belong to the same extension.
      hasPrimaryKey: facts.hasPrimaryKey || parent?.hasPrimaryKey === true,
      persistence: parent?.persistence ?? (partitioned ? "permanent" : facts.persistence),
      extensionMember: parent?.extensionMember ?? facts.extensionMember,
      storedGenerated: facts.storedGenerated,
      virtualGenerated: has.generated && facts.virtualGenerated,
      // PostgreSQL refuses to list an unlogged table.
      listedIn: facts.persistence === "unlogged" ? [] : [...listedIn.values()],
    });
    tables.push(made);
    return made;
  };
  for (const { root, partitions } of families) {
    const top = add(root, [], partitions !== null);
    for (const { facts, nested } of partitions ?? []) {
      const middle = add(facts, [top], nested.length > 0);
      for (const leaf of nested) add(leaf, [middle, top], false);
    }
  }
  return tables;
}

function selectionOf(kind: number, tables: readonly TableFacts[], picked: readonly number[]) {
  const named = picked
    .flatMap((index) => tables[index] ?? [])
    .filter((facts) => facts.ancestors.length === 0);
  const excludeTables = [...new Set(named.map(formatTableName))];
  if (kind === 0) return { allTables: true as const, excludeTables };
  if (kind === 1) return { schemas: SCHEMAS.slice(0, 2), excludeTables };
  const [first] = tables;
  return {
    tables: [...new Set([...excludeTables, ...(first === undefined ? [] : [formatTableName(first)])])],
  };
}

/** The same database with everything in another order. */
export function shuffled<Value>(values: readonly Value[], seed: number): Value[] {
  const keyed = values.map((value, index) => ({ value, key: (index * 7919 + seed * 104729) % 10007 }));
  return keyed.sort((a, b) => a.key - b.key).map(({ value }) => value);
}

export function reordered(catalog: Catalog, seed: number): Catalog {
  return {
    ...catalog,
    tables: shuffled(catalog.tables, seed),
    publications: shuffled(catalog.publications, seed),
    schemas: shuffled(catalog.schemas, seed),
    eventTriggers: shuffled(catalog.eventTriggers, seed),
  };
}
