import { isDrift, type DriftName } from "../provider/contract/drift";
import { secret } from "../provider/contract/secrets";
import { parseUrn } from "../provider/plugin/urn";
import { UNKNOWN, type Values } from "../provider/plugin/values";

/** One resource of this package, as the state or a preview of a stack holds it. */
export interface DeclaredResource {
  readonly urn: string;
  /** Name of the kind: `Publication`. */
  readonly type: string;
  readonly name: string;
  /** URN of the component it belongs to; left out for a resource that a program declares by itself. */
  readonly component?: string;
  /** URN of its provider, without the id. */
  readonly provider?: string;
  /** In a preview, what is not known yet is left out. */
  readonly inputs: Values;
  /** Names of the inputs that a preview does not know yet; left out: none. */
  readonly unknown?: readonly string[];
  /** As of the last time it was created, read or updated; empty before the first time. */
  readonly outputs: Values;
  /** What the preview does with it, in the engine's words: `create`, `update`, `same`; left out outside of a preview. */
  readonly operation?: string;
  /** What was changed since the last up, by name. */
  readonly drift: readonly { readonly name: DriftName; readonly text: string }[];
  /** Where the program declares it; left out where that is not known. */
  readonly source?: SourcePosition;
}

/** A line of the user's program. */
export interface SourcePosition {
  /** Relative to the folder of Pulumi.yaml. */
  readonly file: string;
  readonly line: number;
}

/** The resources of one trail: those of a component, or those that a program declares for one database. */
export interface DeclaredTrail {
  /** Name of the component; for single resources, project and database. */
  readonly name: string;
  readonly resources: readonly DeclaredResource[];
}

const COMPONENT = "neon-bemi:index:BemiAuditTrail";
const PREFIX = "neon-bemi:index:";

/** A resource as Pulumi writes it, in an exported state and in the steps of a preview alike. */
export interface PulumiResource {
  readonly urn: string;
  readonly type: string;
  readonly parent?: string;
  readonly provider?: string;
  readonly inputs?: Values;
  readonly outputs?: Values;
  readonly stackTrace?: readonly { readonly sourcePosition?: string }[];
}

/** A resource of this package; `undefined` for every other one, and for the component itself. */
export function declaredResource(resource: PulumiResource, operation?: string): DeclaredResource | undefined {
  const { urn, type, parent, provider } = resource;
  if (!type.startsWith(PREFIX) || type === COMPONENT) return undefined;
  const outputs = plainValues(resource.outputs);
  const ofComponent = parent !== undefined && parseUrn(parent).type === COMPONENT;
  const source = sourceOf(resource);
  const unknown = Object.entries(resource.inputs ?? {}).flatMap(([name, value]) =>
    value === UNKNOWN ? [name] : [],
  );
  return {
    urn,
    type: type.slice(PREFIX.length),
    name: parseUrn(urn).name,
    ...(ofComponent ? { component: parent } : {}),
    ...(provider === undefined ? {} : { provider: withoutId(provider) }),
    inputs: plainValues(resource.inputs),
    ...(unknown.length === 0 ? {} : { unknown }),
    outputs: Object.fromEntries(Object.entries(outputs).filter(([name]) => !isDrift(name))),
    ...(operation === undefined ? {} : { operation }),
    drift: Object.entries(outputs).flatMap(([name, text]) =>
      isDrift(name) && typeof text === "string" ? [{ name, text }] : [],
    ),
    ...(source === undefined ? {} : { source }),
  };
}

/** The trails that resources come to, in the order of their first resources. */
export function trailsOf(resources: readonly DeclaredResource[]): DeclaredTrail[] {
  const groups = new Map<string, { name: string; resources: DeclaredResource[] }>();
  const put = (key: string, name: string, resource: DeclaredResource): void => {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { name, resources: [resource] });
    else group.resources.push(resource);
  };
  const ofProjects: DeclaredResource[] = [];
  for (const resource of resources) {
    const { component, inputs } = resource;
    const { projectId, branch, database } = inputs;
    if (component !== undefined) put(component, parseUrn(component).name, resource);
    else if (database === undefined) ofProjects.push(resource);
    else
      put(
        JSON.stringify([projectId, branch, database]),
        [projectId, branch, database].filter((part) => typeof part === "string").join("/"),
        resource,
      );
  }
  // What is about the project only belongs to the first trail of that project.
  for (const resource of ofProjects) {
    const { projectId } = resource.inputs;
    const owner = [...groups.values()].find(
      ({ resources: [first] }) => first?.inputs["projectId"] === projectId,
    );
    if (owner !== undefined) owner.resources.push(resource);
    // A branch without a trail on it is no trail.
    else if (resource.type !== "Branch")
      put(JSON.stringify([projectId]), typeof projectId === "string" ? projectId : "project", resource);
  }
  return [...groups.values()];
}

/** The provider's URN, without the id that follows it. */
export function withoutId(provider: string): string {
  return provider.slice(0, provider.lastIndexOf("::"));
}

const SIGNATURE = "4dabf18193072939515e22adb298388d";

/**
 * The values without the envelopes of secrets: what is exported in plain text is registered as a secret and taken, what
 * is encrypted or masked is left out. So is what is not known yet.
 */
export function plainValues(values: Values | undefined): Values {
  return (plain(values ?? {}) ?? {}) as Values;
}

function plain(value: unknown): unknown {
  if (value === UNKNOWN || value === "[secret]") return undefined;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map(plain);
    return items.includes(undefined) ? undefined : items;
  }
  if (SIGNATURE in value) {
    if (!("plaintext" in value) || typeof value.plaintext !== "string") return undefined;
    const known: unknown = JSON.parse(value.plaintext);
    if (typeof known === "string") secret(known);
    return known;
  }
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, each]) => {
      const known = plain(each);
      return known === undefined ? [] : [[key, known]];
    }),
  );
}

/** The innermost frame in the user's own program: neither above its folder nor in a package. */
function sourceOf({ stackTrace = [] }: PulumiResource): SourcePosition | undefined {
  for (const { sourcePosition = "" } of stackTrace) {
    const match = /^project:\/\/\/(.+)#(\d+)/.exec(sourcePosition);
    const [, file = "", line = ""] = match ?? [];
    if (file !== "" && !file.startsWith("../") && !file.includes("node_modules/"))
      return { file, line: Number(line) };
  }
  return undefined;
}
