import fc from "fast-check";
import type { Catalog } from "../../../provider/contract/catalog";
import { planGrants, planRevokes, scopeIn, type AccessStep } from "../../../provider/postgres/access/plan";
import {
  defaultKey,
  type DefaultPrivilege,
  type DefaultRight,
  type Held,
  type Missing,
  type Scope,
} from "../../../provider/postgres/access/privileges";
import {
  afterChange,
  entryOf,
  heldBefore,
  withEntry,
  withoutEntry,
} from "../../../provider/postgres/access/record";
import { databaseObjectMark, encodeMark } from "../../../provider/postgres/ownership/mark";
import { formatTableName } from "../../../provider/postgres/catalog/tableNames";
import { select, type Selection } from "../../../provider/postgres/selection/selection";
import { catalogOf, role, table } from "../../support/catalog";
import { SCHEMAS, respelled, selections, tables } from "../selection/selections";

const ROLE = "bemi";
const ME = "neondb_owner";
const SESSION = {
  target: {
    projectId: "cool-darkness-123456",
    branchId: "br-cool-sea-123456",
    branchName: "main",
    branchIsDefault: true,
    endpointId: "ep-cool-sea-123456",
    host: "localhost",
    database: { name: "neondb", owner: ME },
  },
};

/** A database as far as the privileges of one role go. Every default right belongs to an owner of a table. */
interface World {
  readonly catalog: Catalog;
  readonly tables: ReadonlySet<number>;
  readonly schemas: ReadonlySet<string>;
  readonly defaults: ReadonlyMap<string, DefaultPrivilege>;
}

/** What access/query.ts reads, in TypeScript: the privileges that the scope asks for and the role does not hold. */
function missingIn({ catalog, tables: granted, schemas, defaults }: World, scope: Scope): Missing {
  const inScope = catalog.tables.filter(({ oid }) => scope.tables.includes(oid));
  const used = new Set([...scope.schemas, ...inScope.map(({ schema }) => schema)]);
  const due: DefaultPrivilege[] = [];
  if (scope.defaults === "everywhere")
    for (const owner of new Set([ME, ...inScope.map(({ owner: name }) => name)]))
      due.push({ owner, schema: null, objects: "TABLES" }, { owner, schema: null, objects: "SCHEMAS" });
  if (scope.defaults === "in these schemas")
    for (const schema of scope.schemas) {
      const owners = inScope.filter((each) => each.schema === schema).map(({ owner }) => owner);
      for (const owner of new Set([ME, ...owners])) due.push({ owner, schema, objects: "TABLES" });
    }
  const covered = ({ owner, objects, schema }: DefaultPrivilege): boolean =>
    [schema, null].some((where) => defaults.has(defaultKey({ owner, schema: where, objects })));
  return {
    readable: inScope.filter(({ oid, schema }) => granted.has(oid) && schemas.has(schema)).length,
    tables: inScope.flatMap(({ oid }) => (granted.has(oid) ? [] : [oid])),
    schemas: catalog.schemas.flatMap(({ oid, name }) =>
      used.has(name) && !schemas.has(name) ? [{ oid, schema: name, mayAct: true }] : [],
    ),
    defaults: due.filter((right) => !covered(right)).map(withMayAct),
  };
}

function heldIn({ catalog, tables: granted, schemas, defaults }: World): Held {
  return {
    tables: catalog.tables.flatMap(({ oid, mayAlter }) =>
      granted.has(oid) ? [{ oid, mayAct: mayAlter }] : [],
    ),
    schemas: catalog.schemas.flatMap(({ oid, name }) =>
      schemas.has(name) ? [{ oid, schema: name, mayAct: true }] : [],
    ),
    defaults: [...defaults.values()].map(withMayAct),
  };
}

function withMayAct(right: DefaultPrivilege): DefaultRight {
  return { ...right, mayAct: right.owner === ME };
}

/** What the database is after the steps. */
function applied(world: World, steps: readonly AccessStep[]): World {
  return steps.reduce((before, step): World => {
    const { catalog } = before;
    const granted = new Set(before.tables);
    const schemas = new Set(before.schemas);
    const defaults = new Map(before.defaults);
    const oidOf = (name: string): number => {
      const found = catalog.tables.find((each) => formatTableName(each) === name);
      if (found === undefined) throw new Error(`no table ${name}`);
      return found.oid;
    };
    switch (step.step) {
      case "record privileges": {
        const entry = entryOf(SESSION, ROLE, heldIn(before));
        return { ...before, catalog: afterChange(catalog, (record) => withEntry(record, entry)) };
      }
      case "drop record":
        return { ...before, catalog: afterChange(catalog, (record) => withoutEntry(record, ROLE)) };
      case "grant usage":
        return { ...before, schemas: new Set([...schemas, ...step.schemas]) };
      case "revoke usage":
        for (const schema of step.schemas) schemas.delete(schema);
        return { ...before, schemas };
      case "grant select":
        for (const name of step.tables) granted.add(oidOf(formatTableName(name)));
        return { ...before, tables: granted };
      case "revoke select":
        for (const name of step.tables) granted.delete(oidOf(formatTableName(name)));
        return { ...before, tables: granted };
      case "grant default privileges":
        for (const right of step.privileges) defaults.set(defaultKey(right), right);
        return { ...before, defaults };
      case "revoke default privileges":
        for (const right of step.privileges) defaults.delete(defaultKey(right));
        return { ...before, defaults };
    }
  }, world);
}

function grants(world: World, selection: Selection, created = false): AccessStep[] {
  const { catalog } = world;
  return planGrants(
    catalog,
    { role: ROLE },
    {
      missing: missingIn(world, scopeIn(catalog, selection)),
      before: heldBefore(SESSION, catalog, ROLE, created ? {} : undefined),
    },
  );
}

function revokes(world: World, selection: Selection, kept?: Selection): AccessStep[] {
  const { catalog } = world;
  const before = heldBefore(SESSION, catalog, ROLE, {});
  return planRevokes(
    catalog,
    { role: ROLE, ...selection },
    { held: heldIn(world), before },
    ...(kept === undefined ? [] : [kept]),
  );
}

/** Databases in which the role holds something already. Either this module made the role, or somebody else did. */
const worlds: fc.Arbitrary<World> = fc
  .record({ all: tables, madeHere: fc.boolean(), seed: fc.array(fc.nat(30), { maxLength: 8 }) })
  .map(({ all, madeHere, seed }) => {
    const mark = encodeMark(databaseObjectMark(SESSION, { managedBy: "shop/dev/orders" }));
    const picks = <Value>(list: readonly Value[]): Value[] =>
      madeHere ? [] : list.filter((_, index) => seed.includes(index));
    const rights: DefaultPrivilege[] = [null, ...SCHEMAS].map((schema) => ({
      owner: ME,
      schema,
      objects: "TABLES",
    }));
    return {
      catalog: catalogOf({
        tables: all,
        roles: [role(ROLE, { comment: madeHere ? mark : null })],
        schemas: SCHEMAS.map((name, oid) => ({ oid, name, owner: ME, comment: null })),
      }),
      tables: new Set(picks(all).map(({ oid }) => oid)),
      schemas: new Set(picks(SCHEMAS)),
      defaults: new Map(picks(rights).map((right) => [defaultKey(right), right])),
    };
  });

const cases = worlds.chain((world) =>
  fc.record({
    world: fc.constant(world),
    selection: selections(world.catalog.tables),
    other: selections(world.catalog.tables),
  }),
);

/** The names in any step; those of default privileges are schemas. */
function tablesNamed(steps: readonly AccessStep[]): string[] {
  return steps.flatMap((step) => ("tables" in step ? step.tables.map(formatTableName) : []));
}

describe("the plan", () => {
  test("prints as what is granted, in the words of PostgreSQL", () => {
    const catalog = catalogOf({
      tables: [table("shop.orders", { oid: 1 }), table("shop.items", { oid: 2 })],
      roles: [role(ROLE)],
    });
    const world: World = { catalog, tables: new Set([2]), schemas: new Set(), defaults: new Map() };
    expect(grants(world, { schemas: ["shop"] })).toEqual([
      { step: "record privileges", role: "bemi" },
      { step: "grant usage", role: "bemi", schemas: ["shop"] },
      { step: "grant select", role: "bemi", tables: [{ schema: "shop", name: "orders" }] },
      {
        step: "grant default privileges",
        role: "bemi",
        privileges: [{ owner: ME, schema: "shop", objects: "TABLES" }],
      },
    ]);
    const granted = applied(world, grants(world, { schemas: ["shop"] }));
    expect(revokes(granted, { schemas: ["shop"] })).toEqual([
      {
        step: "revoke default privileges",
        role: "bemi",
        privileges: [{ owner: ME, schema: "shop", objects: "TABLES" }],
      },
      { step: "revoke select", role: "bemi", tables: [{ schema: "shop", name: "orders" }] },
      { step: "revoke usage", role: "bemi", schemas: ["shop"] },
      { step: "drop record", role: "bemi" },
    ]);
  });

  test("is empty once it has been applied", () => {
    fc.assert(
      fc.property(cases, ({ world, selection }) => {
        const granted = applied(world, grants(world, selection));
        expect(grants(granted, selection)).toEqual([]);
        expect(grants(granted, selection, true)).toEqual([]);
        expect(revokes(granted, selection, selection)).toEqual([]);
      }),
    );
  });

  test("is empty once a changed selection has been applied", () => {
    fc.assert(
      fc.property(cases, ({ world, selection, other }) => {
        const first = applied(world, grants(world, selection));
        const revoked = applied(first, revokes(first, selection, other));
        const second = applied(revoked, grants(revoked, other, true));
        expect([...revokes(second, selection, other), ...grants(second, other, true)]).toEqual([]);
      }),
    );
  });

  test("of a destroy leaves exactly what the role held before, and nothing to revoke", () => {
    fc.assert(
      fc.property(cases, ({ world, selection, other }) => {
        const first = applied(world, grants(world, selection));
        const revoked = applied(first, revokes(first, selection, other));
        const second = applied(revoked, grants(revoked, other, true));
        const left = applied(second, revokes(second, other));
        expect(left).toEqual(world);
        expect(revokes(left, other)).toEqual([]);
      }),
    );
  });

  test("never names an excluded table, nor a partition of one", () => {
    fc.assert(
      fc.property(cases, ({ world, selection }) => {
        const steps = grants(world, selection);
        const { catalog } = world;
        const excluded = catalog.tables.filter((each) =>
          (selection.excludeTables ?? []).includes(formatTableName(each)),
        );
        const out = new Set(excluded.map(({ oid }) => oid));
        const below = catalog.tables.filter(({ ancestors }) => ancestors.some((oid) => out.has(oid)));
        for (const each of below) expect(tablesNamed(steps)).not.toContain(formatTableName(each));
        // The partition of a selected table cannot be excluded: its selection is refused, before anything is planned.
        if (select(catalog, selection).rejected.length === 0)
          for (const each of excluded) expect(tablesNamed(steps)).not.toContain(formatTableName(each));
      }),
    );
  });

  test("does not depend on the order and the quoting of names in the inputs", () => {
    fc.assert(
      fc.property(
        cases.chain(({ world, selection }) =>
          respelled(selection).map((again) => ({ world, selection, again })),
        ),
        ({ world, selection, again }) => {
          expect(sorted(applied(world, grants(world, again)))).toEqual(
            sorted(applied(world, grants(world, selection))),
          );
          const granted = applied(world, grants(world, selection));
          expect(revokes(granted, again, selection)).toEqual([]);
        },
      ),
    );
  });
});

/** A world whose equality does not depend on the order of grants. */
function sorted(world: World): World {
  return { ...world, defaults: new Map([...world.defaults].sort(([a], [b]) => (a < b ? -1 : 1))) };
}
