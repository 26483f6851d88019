import type { PublicationInputs, ReplicaIdentityInputs } from "../../provider/contract/inputs";
import type { PublicationOutputs, ReplicaIdentityOutputs } from "../../provider/contract/outputs";
import { publication } from "../../provider/postgres/publication/publication";
import { replicaIdentity } from "../../provider/postgres/identity/replicaIdentity";
import { TARGET, type TestRun } from "./session";

export type Selection = Pick<PublicationInputs, "schemas" | "tables" | "allTables" | "excludeTables"> &
  Partial<Pick<PublicationInputs, "trackNewTables">>;

/** The two resources of a program that make tables tracked, as the engine records them. */
export interface Stack {
  readonly identity: ReplicaIdentityInputs & ReplicaIdentityOutputs;
  readonly publication: PublicationInputs & PublicationOutputs;
}

const SHARED = { ...TARGET, trackNewTables: true, managedBy: "shop/production/orders" };

export function identityInputs(selection: Selection): ReplicaIdentityInputs {
  return { ...SHARED, ...selection, publication: "bemi" };
}

export function publicationInputs(selection: Selection, adopt = false): PublicationInputs {
  return { ...SHARED, ...selection, name: "bemi", adopt };
}

export async function up(run: TestRun, selection: Selection, adopt = false): Promise<Stack> {
  const wanted = identityInputs(selection);
  const inputs = publicationInputs(selection, adopt);
  return {
    identity: { ...wanted, ...(await replicaIdentity.create(wanted, run)) },
    publication: { ...inputs, ...(await publication.create(inputs, run)) },
  };
}

/** An up of a program that has been changed. */
export async function change(run: TestRun, stack: Stack, selection: Selection): Promise<Stack> {
  const wanted = identityInputs(selection);
  const inputs = publicationInputs(selection);
  return {
    identity: { ...wanted, ...(await replicaIdentity.update(stack.identity, wanted, run)) },
    publication: { ...inputs, ...(await publication.update(stack.publication, inputs, run)) },
  };
}

export async function down(run: TestRun, { identity, publication: published }: Stack): Promise<void> {
  await run.end();
  await publication.delete(published, run);
  await replicaIdentity.delete(identity, run);
}
