import { createHash } from "node:crypto";

/** The names of the objects that the module makes for one trail, besides role and publication. */
export interface OwnNames {
  /** Functions of the two event triggers, in the module's schema. */
  readonly publishFunction: string;
  readonly fullFunction: string;
  /** Event triggers fire in the order of their names: this one before {@link fullTrigger}. */
  readonly publishTrigger: string;
  readonly fullTrigger: string;
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
    publishFunction: `${PUBLISH}${short}`,
    fullFunction: `${SET_FULL}${short}`,
    publishTrigger: `_${short}_publish`,
    fullTrigger: `_${short}_set_full`,
    nextPublication: `${short}_new`,
    formerPublication: `${short}_old`,
  };
}

const PUBLISH = "publish_";
const SET_FULL = "set_full_";

/** How the names of the functions begin that the module makes, for whatever trail. */
export const FUNCTION_PREFIXES = { publish: PUBLISH, setFull: SET_FULL } as const;
