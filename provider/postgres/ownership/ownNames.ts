import { createHash } from "node:crypto";

/** The names of the objects that the module makes for one trail, besides role and publication. */
export interface OwnNames {
  /** Function of the event trigger, in the module's schema. */
  readonly trackFunction: string;
  readonly trackTrigger: string;
  /** While a publication is replaced: the one that will replace it, and the one that was replaced. */
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
    trackFunction: `${FUNCTION_PREFIX}${short}`,
    trackTrigger: `_${short}_track`,
    nextPublication: `${short}_new`,
    formerPublication: `${short}_old`,
  };
}

/** How the names of the functions begin that the module makes, for whatever trail. */
export const FUNCTION_PREFIX = "track_";
