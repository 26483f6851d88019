import fc from "fast-check";
import type { TableFacts } from "../../../provider/contract/catalog";
import type { PublicationInputs } from "../../../provider/contract/kinds/publication";
import { quoteTableName, parseTableName } from "../../../provider/postgres/catalog/tableNames";
import { lineageOf, publishes } from "../../../provider/postgres/catalog/membership";
import { tablesByOid } from "../../../provider/postgres/catalog/tableIndex";
import { trackedTables } from "../../../provider/postgres/identity/trackedTables";
import { planReplicaIdentity } from "../../../provider/postgres/identity/plan";
import { leavers, planPublication } from "../../../provider/postgres/publication/plan";
import { CLAIM_MARK, MARK, reordered, shuffled, situations, type Situation } from "./planInputs";
import { apply, printed, refusingTables, type AnyStep, type Model } from "./planModel";

const RUNS = { numRuns: 400 };

function identityPlan({
  catalog,
  record,
  inputs,
  state,
}: Pick<Situation, "catalog" | "record" | "inputs" | "state">): AnyStep[] {
  const claim = { mark: CLAIM_MARK, state };
  return planReplicaIdentity(catalog, { ...inputs, publication: inputs.name }, [...record.keys()], claim);
}

function publicationPlan({ catalog, record, inputs, state }: Situation): AnyStep[] {
  const candidates = leavers(catalog, inputs, state);
  const recorded = [...record.keys()].filter((oid) => candidates.has(oid));
  return planPublication(catalog, inputs, { state, recorded, mark: MARK });
}

/**
 * What a plan changes. Not: functions of event triggers, which are replaced, and FULL tables, which are recorded, in every
 * up; and a restore that the server keeps refusing because of a publication of somebody else.
 */
function changes(situation: Situation, steps: readonly AnyStep[]): string[] {
  const changing = steps.filter((step) => {
    if (step.step === "replace functions of event triggers") return false;
    if (step.step === "set replica identity full") return step.changing.length > 0;
    if (step.step !== "restore replica identity") return true;
    return apply(situation, step, situation.inputs, MARK).record.size < situation.record.size;
  });
  return printed(situation.catalog, changing);
}

function doAll<Start extends Situation>(
  start: Start,
  steps: readonly AnyStep[],
  watch: (model: Model) => void,
): Start {
  let model: Model = start;
  for (const step of steps) {
    model = apply(model, step, start.inputs, MARK);
    watch(model);
  }
  return { ...start, ...model };
}

/** What an up does, with a look at the database after each step. */
function up<Start extends Situation>(start: Start, watch: (model: Model) => void = () => undefined): Start {
  const identified = doAll(start, identityPlan(start), watch);
  return doAll(identified, publicationPlan(identified), watch);
}

/** Nobody keeps a table from being changed. */
function unlocked<Start extends Situation>(start: Start): Start {
  return { ...start, locked: new Set<number>() };
}

describe("whatever the database looks like", () => {
  test("no step of an up makes UPDATE or DELETE of a table fail", () => {
    fc.assert(
      fc.property(situations, (start) => {
        const before = new Set(refusingTables(start.catalog));
        const broken: string[] = [];
        const end = up(start, ({ catalog }) => {
          broken.push(...refusingTables(catalog).filter((name) => !before.has(name)));
        });
        expect(broken).toEqual([]);
        expect(refusingTables(end.catalog, "bemi")).toEqual([]);
      }),
      RUNS,
    );
  });

  test("a publication for all tables or schemas becomes a list, and keeps what is selected", () => {
    fc.assert(
      fc.property(situations, (drawn) => {
        const start = unlocked(drawn);
        const identified = doAll(start, identityPlan(start), () => undefined);
        const streamed = ({ catalog }: Model): ReadonlySet<number> => {
          const found = catalog.publications.find(({ name }) => name === "bemi");
          const byOid = tablesByOid(catalog);
          const tables = catalog.tables.filter(
            (facts) => found && !facts.partitioned && publishes(found, facts, byOid),
          );
          return new Set(tables.map(({ oid }) => oid));
        };
        const former = identified.catalog.publications.find(({ name }) => name === "bemi");
        fc.pre(former?.allTables === true || (former?.schemas.length ?? 0) > 0);
        const before = streamed(identified);
        const byOid = tablesByOid(identified.catalog);
        // What a list has published so far is another matter: a broken partition takes its whole table out of a list.
        const isListed = (facts: TableFacts): boolean =>
          [facts, ...lineageOf(facts, byOid)].some(({ listedIn }) =>
            listedIn.some(({ publication }) => publication === "bemi"),
          );
        const kept = trackedTables(identified.catalog, start.inputs).filter(
          ({ table, safe }) => safe && table.mayAlter && before.has(table.oid) && !isListed(table),
        );
        const lost: string[] = [];
        const end = doAll(identified, publicationPlan(identified), (model) => {
          const now = streamed(model);
          lost.push(...kept.filter(({ table }) => !now.has(table.oid)).map(({ table }) => table.name));
        });
        expect(lost).toEqual([]);
        const list = end.catalog.publications.find(({ name }) => name === "bemi");
        expect(list).toMatchObject({ allTables: false, schemas: [] });
      }),
      RUNS,
    );
  });

  test("planning identities again yields nothing", () => {
    fc.assert(
      fc.property(situations, (start) => {
        const end = doAll(unlocked(start), identityPlan(start), () => undefined);
        expect(changes(end, identityPlan(end))).toEqual([]);
      }),
      RUNS,
    );
  });

  test("planning the publication again yields nothing", () => {
    fc.assert(
      fc.property(situations, (start) => {
        const identified = doAll(unlocked(start), identityPlan(start), () => undefined);
        const end = doAll(identified, publicationPlan(identified), () => undefined);
        expect(changes(end, publicationPlan(end))).toEqual([]);
      }),
      RUNS,
    );
  });

  test("two ups do all that can be done", () => {
    fc.assert(
      fc.property(situations, (start) => {
        const end = up(up(unlocked(start)));
        expect(changes(end, [...identityPlan(end), ...publicationPlan(end)])).toEqual([]);
      }),
      RUNS,
    );
  });

  test("the order of names in catalog and inputs, and their quoting, change no plan", () => {
    const lists = (inputs: PublicationInputs, change: (names: string[]) => string[]): PublicationInputs => ({
      ...inputs,
      ...(inputs.tables === undefined ? {} : { tables: change(inputs.tables) }),
      ...(inputs.schemas === undefined ? {} : { schemas: shuffled(inputs.schemas, 3) }),
      ...(inputs.excludeTables === undefined ? {} : { excludeTables: change(inputs.excludeTables) }),
    });
    const quoted = (name: string): string => quoteTableName(parseTableName(name));
    fc.assert(
      fc.property(situations, fc.nat(1000), (start, seed) => {
        const other = {
          ...start,
          catalog: reordered(start.catalog, seed),
          inputs: lists(start.inputs, (names) => shuffled(names, seed).map(quoted)),
        };
        const plans = [start, other].map((one) =>
          [...identityPlan(one), ...publicationPlan(one)].map(withoutOrder),
        );
        expect(plans[1]).toEqual(plans[0]);
      }),
      RUNS,
    );
  });
});

/** Oids, whose order means nothing, in one order; tables stay in the order they have. */
function withoutOrder(step: AnyStep): unknown {
  if (step.step === "restore replica identity") return { ...step, tables: [...step.tables].sort() };
  return "publication" in step ? { ...step, publication: step.publication.name } : step;
}
