import * as z from "zod";
import { identity } from "../../provider/contract/fields/identity";
import { givenSelections, selection } from "../../provider/contract/fields/selection";
import { BEMI } from "../../provider/contract/fields/names";
import { trailDefaults } from "../../provider/contract/trail";
import type { Operation, TrailSettings } from "../../report/plan/facts";
import type { DeclaredResource, DeclaredTrail } from "../declared";

const SELECTION = z.object({ ...selection, identity });

/** The kinds whose inputs say which tables are selected, the best source first. */
const SELECTING = ["Publication", "ReplicaIdentity", "Readiness", "ReadAccess"] as const;

/**
 * The trail's arguments, as far as its resources show them; `undefined` where the database is not known yet. A trail on a
 * `Branch` that the up makes is known by the branch that is copied.
 *
 * @param all - the resources of all trails of the preview. Default: those of the trail.
 */
export function settingsOf(
  { resources }: DeclaredTrail,
  all: readonly DeclaredResource[] = resources,
): TrailSettings | undefined {
  const find = (type: string): DeclaredResource | undefined =>
    resources.find((resource) => resource.type === type);
  const input = (type: string, name: string): string | undefined => text(find(type)?.inputs[name]);
  const logical = find("LogicalReplication");
  const preflight = z.looseObject({}).safeParse(logical?.inputs["preflight"]).data ?? {};
  const role = find("ReplicationRole") ?? find("ApiRole");
  const list = find("IpAllow");
  const first = (name: string): string | undefined =>
    resources.map(({ inputs }) => text(inputs[name])).find((value) => value !== undefined);

  const [projectId, database] = [first("projectId"), first("database")];
  if (projectId === undefined || database === undefined) return undefined;
  const isUnknown = resources.some(({ unknown = [] }) => unknown.includes("branch"));
  const copy = isUnknown ? copyIn(all, projectId) : undefined;
  if (isUnknown && copy === undefined) return undefined;
  const branch = copy === undefined ? first("branch") : copy.parent;
  const selecting = [...SELECTING.map((type) => find(type)?.inputs), preflight]
    .map((inputs) => SELECTION.safeParse(inputs).data)
    .find((found) => found !== undefined && givenSelections(found).length === 1);
  const ips = z.array(z.string()).safeParse(list?.inputs["ips"]).data;
  return {
    projectId,
    ...(branch === undefined ? {} : { branch }),
    ...(copy === undefined ? {} : { copyAs: copy.name }),
    database,
    selection: selecting ?? { schemas: trailDefaults.schemas },
    trackNewTables: find("Publication")?.inputs["trackNewTables"] !== false,
    role:
      text(role?.inputs["name"]) ??
      input("Readiness", "role") ??
      input("ReplicationSlot", "role") ??
      text(preflight["role"]) ??
      BEMI,
    createdBy: role?.type === "ApiRole" || preflight["roleCreatedBy"] === "api" ? "api" : "sql",
    readAccess: find("ReadAccess") !== undefined,
    publication: input("Publication", "name") ?? text(preflight["publication"]) ?? BEMI,
    slot: input("ReplicationSlot", "name") ?? text(preflight["slot"]) ?? BEMI,
    dropSlotOnDestroy: find("ReplicationSlot")?.inputs["dropOnDestroy"] === true,
    adopt: role?.inputs["adopt"] === true || preflight["adopt"] === true,
    logicalReplication: logical?.inputs["mode"] === "require" ? "require" : "enable",
    ...(ips === undefined ? {} : { allowedIps: ips }),
    restrictOpenProject: list?.inputs["restrictOpenProject"] === true,
  };
}

/**
 * The branch that the up makes in the project, and the one that it copies, which is the default branch if it is left out.
 * `undefined` where the program makes none or several, or its parent is not known yet.
 */
function copyIn(
  resources: readonly DeclaredResource[],
  projectId: string,
): { readonly name: string; readonly parent?: string } | undefined {
  const branches = resources.filter(
    ({ type, inputs }) => type === "Branch" && inputs["projectId"] === projectId,
  );
  const [made, another] = branches;
  if (made === undefined || another !== undefined) return undefined;
  const { inputs, unknown = [] } = made;
  const [name, parent] = [text(inputs["name"]), text(inputs["parent"])];
  if (name === undefined || unknown.includes("parent")) return undefined;
  return { name, ...(parent === undefined ? {} : { parent }) };
}

/** What the preview does with each resource. */
export function operationsOf({ resources }: DeclaredTrail): Operation[] {
  return resources.map(({ type, name, operation }) => ({
    type,
    name,
    change: CHANGES.get(operation ?? "") ?? "none",
  }));
}

/** The engine's words for the steps that change something. */
const CHANGES: ReadonlyMap<string, Operation["change"]> = new Map<string, Operation["change"]>([
  ["create", "create"],
  ["import", "create"],
  ["update", "update"],
  ["delete", "delete"],
  ["replace", "replace"],
  ["create-replacement", "replace"],
  ["delete-replaced", "replace"],
]);

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
