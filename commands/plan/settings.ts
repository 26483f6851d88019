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

/** The trail's arguments, as far as its resources show them; `undefined` where the database is not known yet. */
export function settingsOf({ resources }: DeclaredTrail): TrailSettings | undefined {
  const find = (type: string): DeclaredResource | undefined =>
    resources.find((resource) => resource.type === type);
  const input = (type: string, name: string): string | undefined => text(find(type)?.inputs[name]);
  const logical = find("LogicalReplication");
  const preflight = z.looseObject({}).safeParse(logical?.inputs["preflight"]).data ?? {};
  const role = find("ReplicationRole") ?? find("ApiRole");
  const list = find("IpAllow");
  const first = (name: string): string | undefined =>
    resources.map(({ inputs }) => text(inputs[name])).find((value) => value !== undefined);

  const [projectId, branch, database] = [first("projectId"), first("branch"), first("database")];
  if (projectId === undefined || database === undefined) return undefined;
  const selecting = [...SELECTING.map((type) => find(type)?.inputs), preflight]
    .map((inputs) => SELECTION.safeParse(inputs).data)
    .find((found) => found !== undefined && givenSelections(found).length === 1);
  const ips = z.array(z.string()).safeParse(list?.inputs["ips"]).data;
  return {
    projectId,
    ...(branch === undefined ? {} : { branch }),
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
