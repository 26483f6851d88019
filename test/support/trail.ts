import type { RoleOutputs } from "../../provider/contract/fields/role";
import type { ReplicaIdentityInputs } from "../../provider/contract/kinds/replicaIdentity";
import type { Target } from "../../provider/contract/target";
import { apiRole } from "../../provider/neon";
import {
  publication,
  readAccess,
  readiness,
  replicaIdentity,
  replicationRole,
  replicationSlot,
} from "../../provider/postgres";
import { Engine, type AnyKind, type EngineOptions, type EngineState, type Program } from "./engine";
import { ROLE_MADE_BY } from "./postgres";
import type { LoggedRun } from "./run";

/** The arguments of `BemiAuditTrail`, as far as PostgreSQL is concerned. */
export interface TrailArgs extends Target {
  readonly database: string;
  readonly schemas?: readonly string[];
  readonly tables?: readonly string[];
  readonly allTables?: true;
  readonly excludeTables?: readonly string[];
  readonly identity?: ReplicaIdentityInputs["identity"];
  /** Default: "sql"; before PostgreSQL 16: "api". */
  readonly createdBy?: "sql" | "api";
  /** Whether the role may read the tables. Default: true. */
  readonly readAccess?: boolean;
  /** Default: true. */
  readonly trackNewTables?: boolean;
  /** Default: false. */
  readonly adopt?: boolean;
  /** Default: true, other than in the component. */
  readonly dropSlotOnDestroy?: boolean;
  readonly passwordVersion?: number;
  /** Name of role, publication and slot. Default: `bemi`. */
  readonly name?: string;
}

/** The kinds of a trail, each after those it depends on. A program declares one of the two roles. */
const KINDS: Readonly<Record<string, AnyKind>> = {
  role: replicationRole,
  apiRole,
  access: readAccess,
  identity: replicaIdentity,
  publication,
  slot: replicationSlot,
  readiness,
};

/** An engine whose stack holds the SQL resources of one `BemiAuditTrail`. */
export class Trail extends Engine {
  /** @param state what an earlier engine left; it is changed in place */
  constructor(newRun: () => LoggedRun, state: EngineState = {}, options: Omit<EngineOptions, "state"> = {}) {
    super(KINDS, newRun, { ...options, state });
  }

  /** An `up` of the component with these arguments. Returns what was done, e.g. `create publication`. */
  up(args: TrailArgs): Promise<string[]> {
    return this.apply(declare(args));
  }

  /** How to log in as Bemi's role, which an `up` has made. */
  get login(): RoleOutputs {
    const role = this.state["role"] ?? this.state["apiRole"];
    if (role === undefined) throw new Error("The stack has no role.");
    return role.outputs as unknown as RoleOutputs;
  }

  /** A preview of an `up` with these arguments. Returns what it says, by resource. */
  previewUp(args: TrailArgs): Promise<Record<string, readonly string[]>> {
    return this.preview(declare(args));
  }
}

function declare(args: TrailArgs): Program {
  const { projectId, branch, database, schemas, tables, allTables, excludeTables } = args;
  const {
    name = "bemi",
    createdBy = ROLE_MADE_BY,
    trackNewTables = true,
    adopt = false,
    passwordVersion,
  } = args;
  const target = { projectId, branch, database };
  const selected = { ...target, schemas, tables, allTables, excludeTables };
  const tracked = { ...selected, identity: args.identity };
  const managedBy = (resource: string): string => `shop/production/orders-${resource}`;
  const role = { ...target, name, adopt, passwordVersion };
  return {
    ...(createdBy === "api"
      ? { apiRole: () => role }
      : { role: () => ({ ...role, managedBy: managedBy("role") }) }),
    ...(args.readAccess === false ? {} : { access: () => ({ ...selected, role: name }) }),
    identity: () => ({
      ...tracked,
      trackNewTables,
      publication: name,
      managedBy: managedBy("replica-identity"),
    }),
    publication: () => ({
      ...tracked,
      name,
      trackNewTables,
      adopt,
      managedBy: managedBy("publication"),
    }),
    slot: () => ({ ...target, name, role: name, dropOnDestroy: args.dropSlotOnDestroy ?? true }),
    readiness: (state) => ({
      ...tracked,
      role: name,
      publication: name,
      slot: name,
      trackNewTables,
      // As in the component, readiness is verified again when one of these has changed.
      after: ["identity", "publication"].map((of) => state[of]?.outputs["fingerprint"]),
    }),
  };
}
