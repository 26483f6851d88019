import type { Catalog, PublicationFacts } from "../../contract/catalog";
import type { PublicationInputs } from "../../contract/kinds/publication";
import { withRestored } from "../identity/hypothetical";
import type { FormerIdentity } from "../identity/claim";
import { withoutTracking } from "../tracking/state";
import { createdPublication, withMembers, withoutPublication, withPublication } from "./hypothetical";
import { optionFacts } from "./options";
import { afterReplacement, findPublication, type PublicationStep } from "./plan";

/**
 * The catalog as the steps of {@link planPublication} will leave it, if every table can be changed.
 *
 * @param previous what the record says of the tables that are to be restored, by oid
 */
export function afterSteps(
  catalog: Catalog,
  steps: readonly PublicationStep[],
  inputs: PublicationInputs,
  previous: ReadonlyMap<number, FormerIdentity>,
): Catalog {
  const { name } = inputs;
  return steps.reduce((before, step): Catalog => {
    switch (step.step) {
      case "create publication":
        return withPublication(before, createdPublication(before, step.name, step.comment));
      case "comment on publication":
      case "adopt publication":
        return changed(before, name, { comment: step.comment });
      case "drop publication":
        return withoutPublication(before, step.publication.name);
      case "replace by list":
        return afterReplacement(before, inputs, step.comment);
      case "set publication options":
        return changed(before, name, optionFacts(before.server.version));
      case "drop and add tables":
      case "add tables":
        return withMembers(before, name, { add: step.tables });
      case "drop tables":
        return changed(withMembers(before, name, { remove: step.tables }), name, { schemas: [] });
      case "restore replica identity":
        return withRestored(before, step.tables, previous);
      case "drop event triggers":
        return withoutTracking(before, name);
    }
  }, catalog);
}

/** The catalog with other facts of a publication that exists. */
function changed(catalog: Catalog, name: string, facts: Partial<PublicationFacts>): Catalog {
  const publication = findPublication(catalog, name);
  return publication === undefined ? catalog : withPublication(catalog, { ...publication, ...facts });
}
