import type { Catalog, PublicationFacts } from "../../contract/catalog";
import { firstFew } from "../../contract/wording";
import { isCopy, type Ownership } from "./mark";

/** The event trigger of Bemi's docs, which sets new tables of `public` to FULL. Neon's guide has none. */
const EVENT_TRIGGER = "_bemi_set_replica_identity_trigger";

/** What Neon's guide and Bemi's docs have their readers make by hand beside role and publication, as far as it exists. */
function leftByHand({ bemiProcedures, eventTriggers }: Catalog): string[] {
  return [
    ...bemiProcedures.map((name) => `procedure ${name}`),
    ...eventTriggers.filter(({ name }) => name === EVENT_TRIGGER).map(({ name }) => `event trigger ${name}`),
  ];
}

/** The line of an adoption about the rest of a set-up that was made by hand; `undefined` where there is none. */
export function describeLeftByHand(catalog: Catalog): string | undefined {
  const left = leftByHand(catalog);
  if (left.length === 0) return undefined;
  return `Neon's guide or Bemi's docs made ${firstFew(left)}. The trail does that work now: you can drop what they made. Otherwise it stays, also on destroy.`;
}

/** The sentence after the advice to adopt a publication: what adopting does, and what destroy does then. */
export function effectOfAdopting(
  { allTables, schemas }: Pick<PublicationFacts, "allTables" | "schemas">,
  found: Ownership,
  catalog: Catalog,
): string {
  if (isCopy(found)) return "Taken over, it goes on as it is, and destroy drops it.";
  const instead = allTables ? " instead of all tables" : schemas.length > 0 ? " instead of schemas" : "";
  const effect = `Taken over, it lists the selected tables${instead}, without a gap for its consumer, and destroy gives it back as it is now.`;
  return leftByHand(catalog).length === 0
    ? effect
    : `${effect} For a set-up from Neon's guide or Bemi's docs, see docs/migrating-from-the-guide.md.`;
}

/** The same for a role. */
export const EFFECT_OF_ADOPTING_ROLE =
  "Taken over, it gets a new password, which Bemi needs then, and stays on destroy.";
