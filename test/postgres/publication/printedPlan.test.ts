import type { Catalog } from "../../../provider/contract/catalog";
import type { PublicationInputs } from "../../../provider/contract/kinds/publication";
import {
  planRemoval as planIdentityRemoval,
  planReplicaIdentity,
} from "../../../provider/postgres/identity/plan";
import { encodeMark } from "../../../provider/postgres/ownership/mark";
import { planPublication, planRemoval } from "../../../provider/postgres/publication/plan";
import { withRecord } from "../../../provider/postgres/record/moduleSchema";
import { emptyRecord } from "../../../provider/postgres/record/record";
import { catalogOf, listed, publication, table } from "../../support/catalog";
import { CLAIM_MARK, MARK } from "./planInputs";
import { printed } from "./planModel";

const INPUTS: PublicationInputs = {
  projectId: MARK.projectId,
  database: MARK.database,
  managedBy: MARK.managedBy,
  name: "bemi",
  schemas: ["public"],
  trackNewTables: true,
  adopt: false,
};
const FULL = { identity: "full" } as const;
const COMMENT = encodeMark(MARK);
const TRIGGERS = ["_bemi_track"].map((name) => ({
  name,
  enabled: true,
  owner: "neondb_owner",
  comment: COMMENT,
}));

/** The database of a trail that is up: schema, record, event triggers and publication. */
function trailed(tables: Catalog["tables"], facts: Parameters<typeof publication>[1] = {}): Catalog {
  const catalog = catalogOf({
    tables,
    publications: [publication("bemi", { comment: COMMENT, ...facts })],
    eventTriggers: TRIGGERS,
  });
  const claim = { ...CLAIM_MARK, publication: "bemi", selections: [{ schemas: ["public"] }] };
  return withRecord(catalog, { ...emptyRecord(5), claims: [claim] });
}

function identityPlan(catalog: Catalog, recorded: readonly number[], inputs = INPUTS): string[] {
  const claim = { mark: CLAIM_MARK, state: inputs };
  return printed(catalog, planReplicaIdentity(catalog, { ...inputs, publication: "bemi" }, recorded, claim));
}

function publicationPlan(catalog: Catalog, recorded: readonly number[] = [], inputs = INPUTS): string[] {
  return printed(catalog, planPublication(catalog, inputs, { state: inputs, recorded, mark: MARK }));
}

test("a first up: claim, identities, event triggers, then the publication", () => {
  const busy = table("public.busy", { hasPrimaryKey: false });
  const before = catalogOf({ tables: [table("public.orders"), busy] });
  expect(identityPlan(before, [])).toEqual([
    "claim tables",
    "set replica identity full: public.busy, public.orders",
    "create event triggers",
  ]);
  const after = catalogOf({ tables: [table("public.orders", FULL), busy] });
  expect(publicationPlan(after)).toEqual(["create publication: bemi", "add tables: public.orders"]);
});

test("a table leaves the selection: it is dropped from the list, then restored", () => {
  const [stays, leaves] = [
    table("public.orders", { ...FULL, listedIn: listed("bemi") }),
    table("shop.carts", { ...FULL, hasPrimaryKey: false, listedIn: listed("bemi") }),
  ];
  const catalog = trailed([stays, leaves]);
  expect(identityPlan(catalog, [leaves.oid])).toEqual([
    "replace functions of event triggers",
    "set replica identity full",
  ]);
  expect(publicationPlan(catalog, [leaves.oid])).toEqual([
    "drop tables: shop.carts",
    "restore replica identity: shop.carts",
  ]);
});

test("changes by hand: options come before the tables, except for publish", () => {
  const tables = [
    table("public.added", FULL),
    table("public.filtered", {
      ...FULL,
      listedIn: [{ publication: "bemi", columnList: false, rowFilter: true }],
    }),
    table("shop.stranger", { listedIn: listed("bemi") }),
  ];
  const catalog = trailed(tables, { viaRoot: true, delete: false, schemas: ["shop"] });
  expect(publicationPlan(catalog)).toEqual([
    "set publication options: publish_via_partition_root",
    "drop and add tables: public.filtered",
    "add tables: public.added",
    "drop tables: shop.stranger: schemas shop",
    "set publication options: publish",
  ]);
});

test("event triggers go last where the publication relied on them", () => {
  const root = table("public.root", {
    ...FULL,
    partitioned: true,
    hasPrimaryKey: false,
    listedIn: listed("bemi"),
  });
  const leaf = table("public.leaf", { ...FULL, hasPrimaryKey: false, ancestors: [root.oid] });
  const off = { ...INPUTS, trackNewTables: false };
  const catalog = trailed([root, leaf]);
  expect(identityPlan(catalog, [], off)).toEqual(["set replica identity full"]);
  expect(publicationPlan(catalog, [], off)).toEqual([
    "add tables: public.leaf",
    "drop tables: public.root",
    "drop event triggers",
  ]);
});

test("a publication for all tables is replaced by a list, after what an interruption left is gone", () => {
  const catalog = trailed([table("public.orders", FULL)], { allTables: true });
  const former = publication("bemi_old", { comment: COMMENT });
  const interrupted = { ...catalog, publications: [...catalog.publications, former] };
  expect(publicationPlan(interrupted)).toEqual(["drop publication: bemi_old", "replace by list"]);
});

test("adopting changes nothing but the comment, where all is as wanted", () => {
  const orders = table("public.orders", { ...FULL, listedIn: listed("bemi") });
  const catalog = trailed([orders], { comment: "made by hand" });
  expect(publicationPlan(catalog, [], { ...INPUTS, adopt: true })).toEqual(["adopt publication: bemi"]);
  expect(() => publicationPlan(catalog)).toThrow(
    'Publication "bemi" exists already: it was made again by somebody else. Set adopt: true to take it over, or run DROP PUBLICATION "bemi": the next up then makes it again.',
  );
});

test("a destroy: the publication, then event triggers, identities and claim", () => {
  const orders = table("public.orders", { ...FULL, listedIn: listed("bemi") });
  const catalog = trailed([orders]);
  expect(planRemoval(catalog, INPUTS, MARK).map(({ step }) => step)).toEqual(["drop publication"]);
  expect(printed(catalog, planIdentityRemoval([orders.oid]))).toEqual([
    "drop event triggers",
    "restore replica identity: public.orders",
    "end claim",
  ]);
  const theirs = trailed([orders], { comment: "made by hand" });
  expect(planRemoval(theirs, INPUTS, MARK)).toEqual([]);
});
