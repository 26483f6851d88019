import { createHash } from "node:crypto";

/** The names of the objects that the module makes in a database besides role and publication. */
export interface OwnNames {
  /** Holds the record of previous identities and the functions of the event triggers. */
  readonly schema: string;
  readonly identityTrigger: string;
  readonly publishTrigger: string;
  /** While the publication changes its form: the publication that will replace it, and the one that was replaced. */
  readonly nextPublication: string;
  readonly formerPublication: string;
}

/** Names derived from the publication's name, so that two trails of one database never share one; at most 63 bytes. */
export function ownNames(publication: string): OwnNames {
  const short =
    publication.length <= 50
      ? publication
      : `${publication.slice(0, 41)}_${createHash("md5").update(publication).digest("hex").slice(0, 8)}`;
  return {
    schema: `_${short}`,
    identityTrigger: `_${short}_identity`,
    publishTrigger: `_${short}_publish`,
    nextPublication: `${short}_new`,
    formerPublication: `${short}_old`,
  };
}
