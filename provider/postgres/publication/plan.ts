import { UserError } from "../../contract/errors";
import type { Catalog, PublicationFacts, TableFacts } from "../../contract/catalog";
import type { PublicationInputs } from "../../contract/kinds/publication";
import { publishes } from "../catalog/membership";
import { tablesByOid } from "../catalog/tableIndex";
import { tablesToRestore, trackedTables } from "../identity/trackedTables";
import { only, setByTrail, strayed, type FormerIdentity } from "../identity/claim";
import { effectOfAdopting } from "../ownership/handMade";
import { encodeMark, isAdoptable, isCopy, type Mark } from "../ownership/mark";
import { isOwned, madeBy, ownershipOf, publicationExists } from "../ownership/ownObjects";
import { quoteIdentifier } from "../sql/quote";
import { readRecord } from "../record/moduleSchema";
import { ownNames } from "../ownership/ownNames";
import { select, type Selection } from "../selection/selection";
import { ownTriggers, reliesOnTracking } from "../tracking/state";
import { adoptedFrom, adoptionComment, refuseAdoption, snapshotOf, type Adopted } from "./adoption";
import {
  createdPublication,
  withMembers,
  withName,
  withoutPublication,
  withPublication,
} from "./hypothetical";
import { planMembers, type PublicationSelection } from "./members";
import { optionFacts, wrongOptions, type PublicationOption } from "./options";

/** What is done about options and members of a publication. */
export type MemberStep =
  | { readonly step: "set publication options"; readonly options: readonly PublicationOption[] }
  /** Tables with a column list or row filter: out and in again, in one transaction, without it. */
  | { readonly step: "drop and add tables"; readonly tables: readonly TableFacts[] }
  | { readonly step: "add tables"; readonly tables: readonly TableFacts[] }
  | {
      readonly step: "drop tables";
      readonly tables: readonly TableFacts[];
      /** Schemas that were published as a whole, and whose tables are listed by now. */
      readonly schemas: readonly string[];
      /** Whether to wait for older write transactions first: what leaves goes on being published in another way. */
      readonly afterOlderWriters: boolean;
    };

interface DropPublication {
  readonly step: "drop publication";
  readonly publication: PublicationFacts;
  /** Whether to wait for older write transactions first: a consumer may still have to decode them with it. */
  readonly afterOlderWriters: boolean;
}

/** What an up does about a publication. */
export type PublicationStep =
  | { readonly step: "create publication"; readonly name: string; readonly comment: string }
  /** Renews the mark, when the branch has a new id, or stack, project or component another name. */
  | { readonly step: "comment on publication"; readonly name: string; readonly comment: string }
  | { readonly step: "adopt publication"; readonly name: string; readonly comment: string }
  /** A publication that an interrupted replacement has left. */
  | DropPublication
  /** A publication for all tables, which was adopted, or made by an older release. */
  | { readonly step: "replace by list"; readonly comment: string }
  | MemberStep
  /** Tables that the trail has set to FULL, by oid, and that leave the publication. */
  | { readonly step: "restore replica identity"; readonly tables: readonly number[] }
  /** The event triggers of a publication that relied on them until now. */
  | { readonly step: "drop event triggers" };

/** What a destroy does about a publication. */
export type RemovalStep =
  | DropPublication
  /** Tables that it listed and that no selection covers. The others get theirs back with the trail's claim. */
  | { readonly step: "restore replica identity"; readonly tables: readonly number[] }
  /** An adopted publication gets back the members, options and comment it had. */
  | {
      readonly step: "give back publication";
      readonly publication: PublicationFacts;
      readonly before: Adopted;
    };

/** What a plan needs besides catalog and inputs. */
export interface Circumstances {
  /** The selection of the last run; `undefined` on create. */
  readonly state: Selection | undefined;
  /** Oids of the tables that the trail has set to FULL, as far as they are among the {@link leavers}. */
  readonly recorded: readonly number[];
  readonly mark: Mark;
}

/**
 * Everything an up does about a publication, in its order. One catalog serves: the later steps are planned from the
 * catalog as the earlier steps will leave it.
 *
 * Throws a {@link UserError} where the publication belongs to somebody else and is not, or cannot be, adopted.
 */
export function planPublication(
  catalog: Catalog,
  inputs: PublicationInputs,
  { state, recorded, mark }: Circumstances,
): PublicationStep[] {
  const { name } = inputs;
  const { steps, publication } = planOwnership(catalog, inputs, state !== undefined, mark);
  for (const leftover of unfinished(catalog, name, mark))
    steps.push({
      step: "drop publication",
      publication: leftover,
      afterOlderWriters: leftover.name === ownNames(name).formerPublication,
    });

  const before = withPublication(withoutUnfinished(catalog, name, mark), publication);
  let after: Catalog;
  if (publication.allTables) {
    steps.push({ step: "replace by list", comment: publication.comment });
    after = afterReplacement(before, inputs, publication.comment);
  } else {
    steps.push(...planMemberSteps(before, inputs, publication));
    after = afterMembers(before, inputs, publication);
  }

  const restore = tablesToRestore(after, trackedTables(after, inputs), recorded, name);
  if (restore.length > 0) steps.push({ step: "restore replica identity", tables: restore });
  if (
    !inputs.trackNewTables &&
    ownTriggers(catalog, name).length > 0 &&
    reliesOnTracking(before, name) &&
    !reliesOnTracking(after, name)
  )
    steps.push({ step: "drop event triggers" });
  return steps;
}

/** The part of a plan that concerns options and members of a publication that is not for all tables. */
export function planMemberSteps(
  catalog: Catalog,
  selection: PublicationSelection,
  publication: PublicationFacts,
): MemberStep[] {
  const steps: MemberStep[] = [];
  const wrong = wrongOptions(publication);
  // First: what the publication leaves out of a row decides which tables it can publish.
  const options = wrong.filter((option) => option !== "publish");
  if (options.length > 0) steps.push({ step: "set publication options", options });
  const { add, remove, relist, schemas } = planMembers(catalog, selection, publication);
  if (relist.length > 0) steps.push({ step: "drop and add tables", tables: relist });
  // Tables are added first and dropped last, with a wait for older writers in between. That way nothing is lost of a
  // table that was listed and is now published through a partitioned table, or the other way round.
  if (add.length > 0) steps.push({ step: "add tables", tables: add });
  if (remove.length > 0 || schemas.length > 0) {
    // Also if an earlier up has added them: the transactions that were open then may still be.
    const moves = remove.some(({ partitioned, ancestors }) => partitioned || ancestors.length > 0);
    const afterOlderWriters = add.length > 0 || schemas.length > 0 || moves;
    steps.push({ step: "drop tables", tables: remove, schemas, afterOlderWriters });
  }
  // Last: a table without a usable identity is harmless until the publication publishes updates and deletes.
  if (wrong.includes("publish")) steps.push({ step: "set publication options", options: ["publish"] });
  return steps;
}

/** Everything a destroy does about a publication, in its order; nothing where somebody else made it. */
export function planRemoval(
  catalog: Catalog,
  state: Selection & Pick<PublicationInputs, "name">,
  mark: Mark,
): RemovalStep[] {
  const { name } = state;
  const steps: RemovalStep[] = unfinished(catalog, name, mark).map(dropNow);
  const existing = findPublication(catalog, name);
  if (existing === undefined || !madeBy(existing, mark, catalog)) return steps;
  const before = adoptedFrom(existing.comment);
  if (before === undefined) steps.push(dropNow(existing));
  else steps.push({ step: "give back publication", publication: existing, before });
  const record = readRecord(catalog);
  const beside = strayed(record, catalog, name, [state]);
  const tables = [...only(setByTrail(record, catalog, name, beside), beside).keys()];
  if (tables.length > 0) steps.push({ step: "restore replica identity", tables });
  return steps;
}

function dropNow(publication: PublicationFacts): DropPublication {
  return { step: "drop publication", publication, afterOlderWriters: false };
}

/**
 * Oids of the tables that may be about to leave the publication, and then get back the identity they had: those it
 * publishes now, and those that the state selects (an earlier run may have been killed before it restored them), unless
 * they are to be FULL. Other tables in the record do not concern it: replica identities may be declared for more tables
 * than are published.
 */
export function leavers(
  catalog: Catalog,
  inputs: PublicationSelection,
  state: Selection | undefined,
): ReadonlySet<number> {
  const publication = findPublication(catalog, inputs.name);
  const byOid = tablesByOid(catalog);
  const oids = new Set(
    [
      ...(publication === undefined
        ? []
        : catalog.tables.filter((table) => publishes(publication, table, byOid))),
      ...(state === undefined ? [] : select(catalog, state).tables),
    ].map(({ oid }) => oid),
  );
  for (const { full, table } of trackedTables(catalog, inputs)) if (full) oids.delete(table.oid);
  return oids;
}

/**
 * The {@link leavers} that the trail has set to FULL, each with the identity it gets back. A table that the publication
 * lists and that no selection covers any more is among them: it was renamed, or moved to another schema.
 */
export function leaving(
  catalog: Catalog,
  inputs: PublicationSelection,
  state: Selection | undefined,
): ReadonlyMap<number, FormerIdentity> {
  const record = readRecord(catalog);
  const beside = strayed(record, catalog, inputs.name, [inputs, ...(state === undefined ? [] : [state])]);
  const previous = setByTrail(record, catalog, inputs.name, beside);
  return previous.size === 0 ? previous : only(previous, [...leavers(catalog, inputs, state)]);
}

/** The publication of this name, whoever made it. */
export function findPublication(catalog: Catalog, name: string): PublicationFacts | undefined {
  return catalog.publications.find((publication) => publication.name === name);
}

/** The publications that exist while one is replaced, if this resource made them. */
export function unfinished(catalog: Catalog, name: string, mark: Mark): PublicationFacts[] {
  const { nextPublication, formerPublication } = ownNames(name);
  return catalog.publications.filter(
    (publication) =>
      (publication.name === nextPublication || publication.name === formerPublication) &&
      madeBy(publication, mark, catalog),
  );
}

/** The step that makes the publication the module's own, and the publication as it is then. */
function planOwnership(
  catalog: Catalog,
  inputs: PublicationInputs,
  inState: boolean,
  mark: Mark,
): { steps: PublicationStep[]; publication: PublicationFacts & { readonly comment: string } } {
  const { name } = inputs;
  const existing = findPublication(catalog, name);
  if (existing === undefined) {
    const comment = encodeMark(mark);
    return {
      steps: [{ step: "create publication", name, comment }],
      publication: { ...createdPublication(catalog, name, comment), comment },
    };
  }
  const owner = ownershipOf(existing, mark, catalog);
  if (owner === "ours" || (inState && madeBy(existing, mark, catalog))) {
    const before = adoptedFrom(existing.comment);
    const comment = before === undefined ? encodeMark(mark) : adoptionComment(mark, before);
    if (comment === existing.comment) return { steps: [], publication: { ...existing, comment } };
    return {
      steps: [{ step: "comment on publication", name, comment }],
      publication: { ...existing, comment },
    };
  }
  if (!inputs.adopt || !isAdoptable(owner))
    throw new UserError(
      inState && owner === "none" && isOwned(existing, catalog)
        ? describeMadeAgain(existing, catalog)
        : publicationExists(existing, mark, catalog),
    );
  if (isCopy(owner) && adoptedFrom(existing.comment) === undefined) {
    // This module made the original, so that destroy drops the copy.
    const comment = encodeMark(mark);
    return { steps: [{ step: "adopt publication", name, comment }], publication: { ...existing, comment } };
  }
  refuseAdoption(catalog, existing);
  const comment = adoptionComment(mark, snapshotOf(catalog, existing));
  return { steps: [{ step: "adopt publication", name, comment }], publication: { ...existing, comment } };
}

/** The error text for a publication that the last up had made, and that somebody has made again since. */
function describeMadeAgain(publication: PublicationFacts, catalog: Catalog): string {
  const { name } = publication;
  return (
    `Publication "${name}" exists already: it was ${madeAgain(publication)}. Set adopt: true to take it over, ` +
    `or run DROP PUBLICATION ${quoteIdentifier(name)}: the next up then makes it again. ` +
    effectOfAdopting(publication, "none", catalog)
  );
}

/** What has become of a publication that somebody has dropped and made again, as the end of a sentence. */
export function madeAgain({ allTables, schemas }: PublicationFacts): string {
  const form = allTables ? ", for all tables" : schemas.length > 0 ? ", for whole schemas" : "";
  return `made again by somebody else${form}`;
}

function withoutUnfinished(catalog: Catalog, name: string, mark: Mark): Catalog {
  return unfinished(catalog, name, mark).reduce(
    (rest, leftover) => withoutPublication(rest, leftover.name),
    catalog,
  );
}

/** The catalog when a publication for all tables has been replaced by a list, if every table can be locked. */
export function afterReplacement(catalog: Catalog, inputs: PublicationSelection, comment: string): Catalog {
  const { nextPublication } = ownNames(inputs.name);
  const next = createdPublication(catalog, nextPublication, comment);
  const listed = afterMembers(withPublication(catalog, next), inputs, next);
  // The former one no longer keeps tables out whose generated columns it leaves out.
  return afterMembers(withName(listed, nextPublication, inputs.name), inputs, { ...next, name: inputs.name });
}

/** The catalog as {@link planMemberSteps} will leave it, if every table can be changed. */
export function afterMembers(
  catalog: Catalog,
  selection: PublicationSelection,
  publication: PublicationFacts,
): Catalog {
  const { add, remove, relist } = planMembers(catalog, selection, publication);
  const mended = { ...publication, ...optionFacts(catalog.server.version), schemas: [] };
  return withMembers(withPublication(catalog, mended), publication.name, {
    add: [...add, ...relist],
    remove,
  });
}
