import type { Catalog, ListedIn, PublicationFacts, TableFacts } from "../../../provider/contract/catalog";
import type { PublicationInputs } from "../../../provider/contract/kinds/publication";
import { nameTables } from "../../../provider/postgres/catalog/tableIndex";
import { formatTableName } from "../../../provider/postgres/catalog/tableNames";
import type { PreparationStep, RemovalStep, TableStep } from "../../../provider/postgres/identity/plan";
import { encodeMark, type Mark } from "../../../provider/postgres/ownership/mark";
import { ownNames } from "../../../provider/postgres/ownership/ownNames";
import type { PublicationOption } from "../../../provider/postgres/publication/options";
import { withRecord } from "../../../provider/postgres/record/moduleSchema";
import { planMembers } from "../../../provider/postgres/publication/members";
import { planMemberSteps, type PublicationStep } from "../../../provider/postgres/publication/plan";

type Identity = Pick<TableFacts, "identity" | "identityIndex">;
/** A step of an up. */
export type AnyStep = PreparationStep | TableStep | PublicationStep;

/** A server in small: it does the steps of a plan to a catalog of plain values. */
export interface Model {
  readonly catalog: Catalog;
  /** The record: what a table had before, by oid. */
  readonly record: ReadonlyMap<number, Identity>;
  /** Oids of tables that others keep locked: their identity cannot be changed. */
  readonly locked: ReadonlySet<number>;
}

/** The tables whose UPDATEs and DELETEs PostgreSQL refuses, by the server's own rules; in one publication, or in any. */
export function refusingTables({ server, tables, publications }: Catalog, by?: string): string[] {
  const byOid = new Map(tables.map((facts) => [facts.oid, facts]));
  const refuses = (facts: TableFacts, publication: PublicationFacts): boolean => {
    if (!publication.update && !publication.delete) return false;
    if (by !== undefined && publication.name !== by) return false;
    const family = [facts, ...facts.ancestors.flatMap((oid) => byOid.get(oid) ?? [])];
    const listed = family.flatMap(({ listedIn }) =>
      listedIn.filter((entry) => entry.publication === publication.name),
    );
    const published =
      publication.allTables ||
      listed.length > 0 ||
      family.some(({ schema }) => publication.schemas.includes(schema));
    if (!published) return false;
    switch (facts.identity) {
      case "full":
        return (
          listed.some(({ columnList }) => columnList) ||
          (server.version >= 180000 &&
            (facts.virtualGenerated || (facts.storedGenerated && publication.generatedColumns === "none")))
        );
      case "default":
        return !facts.hasPrimaryKey;
      case "index":
        return facts.identityIndex === null;
      case "nothing":
        return true;
    }
  };
  return tables
    .filter((facts) => !facts.partitioned && facts.persistence === "permanent")
    .filter((facts) => publications.some((publication) => refuses(facts, publication)))
    .map(formatTableName);
}

/** Does one step. `inputs` and `mark` are those of the plan. */
export function apply(model: Model, step: AnyStep, inputs: PublicationInputs, mark: Mark): Model {
  const { catalog } = model;
  const { name } = inputs;
  const { trackTrigger, nextPublication } = ownNames(name);
  const comment = encodeMark(mark);
  const changed = (change: Partial<Catalog>): Model => ({ ...model, catalog: { ...catalog, ...change } });
  const publications = (change: (publication: PublicationFacts) => PublicationFacts): Model =>
    changed({
      publications: catalog.publications.map((found) => (found.name === name ? change(found) : found)),
    });
  switch (step.step) {
    case "claim tables":
      return { ...model, catalog: withRecord(catalog, step.after) };
    case "replace functions of event triggers":
    case "create event triggers": {
      const others = catalog.eventTriggers.filter((found) => !isTrigger(found.name, name));
      const made = { name: trackTrigger, enabled: true, owner: "neondb_owner", comment };
      return changed({ eventTriggers: [...others, made] });
    }
    case "drop event triggers":
      return changed({
        eventTriggers: catalog.eventTriggers.filter((found) => !isTrigger(found.name, name)),
      });
    case "set replica identity full": {
      const previous = new Map(model.record);
      // One that was FULL before gets nothing back.
      for (const { oid, identity, identityIndex } of step.tables)
        if (identity !== "full" && !previous.has(oid)) previous.set(oid, { identity, identityIndex });
      const oids = new Set(step.tables.map(({ oid }) => oid));
      return {
        ...changed(
          identities(catalog, ({ oid }) => (oids.has(oid) && !model.locked.has(oid) ? FULL : undefined)),
        ),
        record: previous,
      };
    }
    case "restore replica identity":
      return step.tables.reduce(restore, model);
    case "create publication":
      return changed({ publications: [...catalog.publications, made(catalog, name, step.comment)] });
    case "comment on publication":
    case "adopt publication":
      return publications((found) => ({ ...found, comment: step.comment }));
    case "drop publication":
      return dropped(model, step.publication.name);
    case "replace by list": {
      // Both exist at once, and the list is filled before it takes the name.
      const next = made(catalog, nextPublication, step.comment);
      const both = { ...catalog, publications: [...catalog.publications, next] };
      const { add } = planMembers(both, inputs, next);
      const filled = listing(both, nextPublication, add, true);
      const list = { ...next, name };
      const alone = dropped({ ...model, catalog: filled }, name).catalog;
      const renamed = dropped(
        {
          ...model,
          catalog: listing({ ...alone, publications: [...alone.publications, list] }, name, add, true),
        },
        nextPublication,
      );
      return planMemberSteps(renamed.catalog, inputs, list).reduce(
        (now, member) => apply(now, member, inputs, mark),
        renamed,
      );
    }
    case "set publication options":
      return publications((found) => ({ ...found, ...optionsAfter(catalog, step.options) }));
    case "drop and add tables":
    case "add tables":
      return { ...model, catalog: listing(catalog, name, step.tables, true) };
    case "drop tables": {
      const rest = { ...model, catalog: listing(catalog, name, step.tables, false) };
      return {
        ...rest,
        catalog: {
          ...rest.catalog,
          publications: rest.catalog.publications.map((found) =>
            found.name === name
              ? { ...found, schemas: found.schemas.filter((other) => !step.schemas.includes(other)) }
              : found,
          ),
        },
      };
    }
  }
}

/** A plan for people: one line per step, with what it concerns. */
export function printed(catalog: Catalog, steps: readonly (AnyStep | RemovalStep)[]): string[] {
  return steps.map((step) => {
    const details: string[] = [];
    if ("name" in step) details.push(step.name);
    if ("publication" in step) details.push(step.publication.name);
    if ("options" in step) details.push(step.options.join(", "));
    if ("tables" in step && step.tables.length > 0)
      details.push(nameTables(catalog, ("changing" in step ? step.changing : step.tables).map(oidOf)));
    if ("schemas" in step && step.schemas.length > 0) details.push(`schemas ${step.schemas.join(", ")}`);
    return [step.step, ...details.filter((detail) => detail !== "")].join(": ");
  });
}

function oidOf(entry: number | TableFacts): number {
  return typeof entry === "number" ? entry : entry.oid;
}

const FULL: Identity = { identity: "full", identityIndex: null };

function isTrigger(name: string, publication: string): boolean {
  return name === ownNames(publication).trackTrigger;
}

function options(catalog: Catalog) {
  const generatedColumns = catalog.server.version >= 180000 ? ("stored" as const) : null;
  return { insert: true, update: true, delete: true, truncate: true, viaRoot: false, generatedColumns };
}

function optionsAfter(catalog: Catalog, names: readonly PublicationOption[]): Partial<PublicationFacts> {
  const { viaRoot, generatedColumns, ...operations } = options(catalog);
  return {
    ...(names.includes("publish") ? operations : {}),
    ...(names.includes("publish_via_partition_root") ? { viaRoot } : {}),
    ...(names.includes("publish_generated_columns") ? { generatedColumns } : {}),
  };
}

function made(catalog: Catalog, name: string, comment: string): PublicationFacts {
  const owner = "neondb_owner";
  return {
    oid: 7,
    name,
    owner,
    mayAlter: true,
    allTables: false,
    schemas: [],
    comment,
    ...options(catalog),
  };
}

function identities(
  catalog: Catalog,
  change: (table: TableFacts) => Identity | undefined,
): Pick<Catalog, "tables"> {
  return { tables: catalog.tables.map((facts) => ({ ...facts, ...change(facts) })) };
}

function listing(catalog: Catalog, name: string, tables: readonly TableFacts[], joins: boolean): Catalog {
  const oids = new Set(tables.map(({ oid }) => oid));
  const entry: ListedIn = { publication: name, columnList: false, rowFilter: false };
  return {
    ...catalog,
    tables: catalog.tables.map((facts) => {
      if (!oids.has(facts.oid)) return facts;
      const others = facts.listedIn.filter(({ publication }) => publication !== name);
      return { ...facts, listedIn: joins ? [...others, entry] : others };
    }),
  };
}

function dropped(model: Model, name: string): Model {
  const { catalog } = model;
  const gone = listing(catalog, name, catalog.tables, false);
  return {
    ...model,
    catalog: { ...gone, publications: gone.publications.filter((found) => found.name !== name) },
  };
}

/** As the server does: a restore that would have writes refused is rolled back, and the table keeps what it has. */
function restore(model: Model, oid: number): Model {
  const before = model.record.get(oid);
  if (before === undefined || model.locked.has(oid)) return model;
  const record = new Map(model.record);
  record.delete(oid);
  const tables = identities(model.catalog, (facts) =>
    facts.oid === oid && facts.identity === "full" ? before : undefined,
  );
  const catalog = { ...model.catalog, ...tables };
  return refusingTables(catalog).length > refusingTables(model.catalog).length
    ? model
    : { ...model, catalog, record };
}
