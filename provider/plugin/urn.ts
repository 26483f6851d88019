/** What a Pulumi URN says of a resource: `urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME`. */
export interface Urn {
  readonly stack: string;
  readonly project: string;
  /** Type token, e.g. `neon-bemi:index:Publication`. */
  readonly type: string;
  readonly name: string;
}

/** Takes a URN apart. A resource's name may itself contain `::`. */
export function parseUrn(urn: string): Urn {
  const [head = "", project = "", types = "", ...name] = urn.split("::");
  return {
    stack: head.replace(/^urn:pulumi:/, ""),
    project,
    type: types.split("$").at(-1) ?? "",
    name: name.join("::"),
  };
}
