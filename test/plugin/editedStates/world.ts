import { UserError } from "../../../provider/contract/errors";
import type { AnyKind, Run } from "../../../provider/contract/kind";
import type { NeonApi, NeonProject } from "../../../provider/contract/neonApi";
import { apiRole, branch, ipAllow, logicalReplication } from "../../../provider/neon";
import { CommandMemory } from "../../../provider/plugin/commandMemory";
import { Resource } from "../../../provider/plugin/resource";
import { makeRun } from "../../../provider/plugin/run";
import type { Values } from "../../../provider/plugin/values";
import {
  publication,
  readAccess,
  readiness,
  replicaIdentity,
  replicationRole,
  replicationSlot,
} from "../../../provider/postgres";
import { newDatabase } from "../../support/catalogState";
import { has } from "../../support/features";
import { runSql, testDatabase, type TestDatabase } from "../../support/postgres";
import { withSessions } from "../../support/run";
import type { Base } from "./edits";

const PROJECT = "cool-darkness-123456";
const LIST = ["198.51.100.0/24", "203.0.113.7", "203.0.113.9"];

/** The first write of a case. It is not carried out. */
interface Written {
  readonly database?: string;
  /** Name of the API role that is deleted. */
  readonly role?: string;
  /** Id of the branch that is deleted or changed. */
  readonly branch?: string;
  /** Entries that leave the IP Allow list. */
  readonly removed?: readonly string[];
}

/** Trails on a real database, among other people's objects. */
export interface World {
  /** Every resource of the trails, as it is in the state. */
  readonly bases: readonly Base[];
  /** A run whose first write ends the work. */
  readonly run: Run;
  /** What the case has written first, so far. */
  readonly written: Written | undefined;
  /** Begins a new case. */
  forget(): void;
  close(): Promise<void>;
}

class Intercepted extends Error {}

/** Branches that the stack made, each by a resource of its own. */
const OWN_BRANCHES = ["pr-7", "pr-8"].map((name) => ({
  id: `br-${name}`,
  name,
  isDefault: false,
  isProtected: false,
  parentId: "br-main",
  createdAt: `made ${name}`,
  annotation: { "pulumi-neon-bemi": `shop/production/${name}`, "pulumi-neon-bemi-id": `id of ${name}` },
}));

const TABLES = "CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE notes (body text);";
const OTHERS = `
  CREATE ROLE app LOGIN; GRANT SELECT ON orders TO app;
  CREATE TABLE sessions (id int PRIMARY KEY); CREATE PUBLICATION theirs FOR TABLE sessions;`;

export async function startWorld(): Promise<World> {
  // Before PostgreSQL 16, only a superuser makes the roles of the trails in SQL.
  const owner = has("owner that makes Bemi's role in SQL") ? "api" : "superuser";
  const db = await testDatabase({ sql: TABLES + OTHERS, owner });
  const second = await newDatabase(db, { sql: TABLES });
  let first: Written | undefined;
  const intercept = (written: Written): never => {
    first ??= written;
    throw new Intercepted();
  };
  const willing = neonOf(db, second, undefined);
  const real = makeRun({
    neon: () => willing,
    connection: { sslRootCert: db.sslRootCert },
    memory: new CommandMemory(undefined),
    log: () => undefined,
    checkpoint: () => undefined,
  });
  const bases = [
    ...(await trail(real, "neondb", "bemi")),
    ...(await trail(real, "neondb", "other")),
    ...(await trail(real, second, "bemi_b", "bemi")),
    ...lists(),
    ...previews(),
  ];
  for (const slot of ["bemi", "other", "foreign"])
    await runSql(db.superuserUri, `SELECT pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
  await real.end();

  const noting = neonOf(db, second, intercept);
  const watched = makeRun({
    neon: () => noting,
    connection: { sslRootCert: db.sslRootCert },
    memory: new CommandMemory(undefined),
    log: () => undefined,
    checkpoint: () => undefined,
  });
  // An API role closes all sessions before it is deleted. Here it never is, and new sessions would take long.
  const staying: Run = { ...watched, closeSql: async (_, meanwhile) => meanwhile?.() };
  const run = withSessions(staying, (session) => ({
    target: session.target,
    serverVersion: session.serverVersion,
    address: session.address,
    read: (statement, values) => session.read(statement, values),
    catalog: () => session.catalog(),
    freshCatalog: () => session.catalog(),
    write: () => Promise.resolve().then(() => intercept({ database: session.target.database.name })),
  }));
  return {
    bases,
    run,
    get written() {
      return first;
    },
    forget: () => {
      first = undefined;
    },
    close: async () => {
      await watched.end();
      await db.close();
    },
  };
}

/** Makes the resources of one trail. */
async function trail(run: Run, database: string, role: string, publicationName = role): Promise<Base[]> {
  const target = { projectId: PROJECT, branch: "main", database };
  const selected = { ...target, tables: ["public.orders", "public.notes"], trackNewTables: true };
  const made: Base[] = [];
  const make = async (kind: unknown, name: string, given: object): Promise<void> => {
    const urn = `urn:pulumi:production::shop::neon-bemi:index:${(kind as AnyKind).definition.type}::${role}-${name}`;
    const resource = new Resource(kind as AnyKind, run);
    const { inputs, mistakes } = resource.check(urn, given as Values);
    if (mistakes.length > 0) throw new Error(mistakes.join("\n"));
    const { id, outputs } = await resource.create(urn, inputs);
    const kept = await resource.refresh({ urn, id, inputs, state: outputs });
    if (kept === undefined) throw new Error(`${urn} is gone`);
    made.push({ kind: kind as AnyKind, urn, id, inputs, outputs: kept.outputs });
  };
  await make(logicalReplication, "replication", target);
  await make(replicationRole, "role", { ...target, name: role });
  await make(readAccess, "access", { ...target, tables: selected.tables, role });
  await make(replicaIdentity, "identity", { ...selected, publication: publicationName });
  await make(publication, "publication", { ...selected, name: publicationName });
  await make(replicationSlot, "slot", { ...target, name: role, role, dropOnDestroy: true });
  await make(readiness, "readiness", { ...selected, role, publication: publicationName, slot: role });
  await make(apiRole, "api", { ...target, name: `${role}_api` });
  return made;
}

/** Two branches that the stack made. */
function previews(): Base[] {
  return OWN_BRANCHES.map(({ id: branchId, name, createdAt, annotation }) => {
    const managedBy = annotation["pulumi-neon-bemi"];
    const inputs = { projectId: PROJECT, name, schemaOnly: false, managedBy };
    const endpointId = branchId.replace("br-", "ep-");
    const made = { branchId, endpointId, host: "localhost", port: 5432, parentId: "br-main", createdAt };
    return {
      kind: branch,
      urn: `urn:pulumi:production::shop::neon-bemi:index:Branch::${name}`,
      id: `${PROJECT}/${name}`,
      inputs,
      outputs: { ...inputs, ...made, ownershipId: annotation["pulumi-neon-bemi-id"] },
    };
  });
}

/** Two resources with entries of one IP Allow list. */
function lists(): Base[] {
  return ["203.0.113.7", "203.0.113.9"].map((entry) => {
    const inputs = {
      projectId: PROJECT,
      ips: [entry],
      restrictOpenProject: false,
      openRestrictedProject: false,
    };
    return {
      kind: ipAllow,
      urn: `urn:pulumi:production::shop::neon-bemi:index:IpAllow::${entry}`,
      id: PROJECT,
      inputs,
      outputs: { ...inputs, added: [entry], wasOpen: false },
    };
  });
}

/** Neon's API over the server: one project, two branches, of which one has the databases. */
function neonOf(
  db: TestDatabase,
  second: string,
  intercept: ((written: Written) => never) | undefined,
): NeonApi {
  const notFound = (): never => {
    throw Object.assign(new UserError("Neon answered 404."), { gone: true });
  };
  const project = (id: string): Promise<NeonProject> =>
    Promise.resolve().then(() => (id === PROJECT ? PROJECT_FACTS : notFound()));
  const branches = [
    { id: "br-main", name: "main", isDefault: true, isProtected: false, annotation: {} },
    {
      id: "br-dev",
      name: "dev",
      isDefault: false,
      isProtected: false,
      annotation: {},
      createdAt: "made dev",
    },
    ...OWN_BRANCHES,
  ];
  const databases = ["neondb", second].map((name) => ({ name, owner: "neondb_owner" }));
  const uri = new URL(db.ownerUri);
  const madeRoles = ["app", "bemi_api", "other_api", "bemi_b_api"];
  const created = new Set<string>();
  const api: Partial<NeonApi> = {
    project,
    knownProject: project,
    branches: (_, search = "") => Promise.resolve(branches.filter(({ name }) => name.includes(search))),
    branch: (_, id) => Promise.resolve(branches.find((found) => found.id === id)),
    updateBranch: async (_, id) => {
      await Promise.resolve();
      intercept?.({ branch: id });
    },
    deleteBranch: async (_, id) => {
      await Promise.resolve();
      intercept?.({ branch: id });
    },
    endpoints: (_, branchId) =>
      Promise.resolve([
        { id: branchId.replace("br-", "ep-"), host: uri.host, readWrite: true, disabled: false },
      ]),
    databases: (_, branchId) => Promise.resolve(branchId === "br-main" ? databases : []),
    connectionUri: ({ branchId, endpointId, database, role }) =>
      Promise.resolve().then(() => {
        if (branchId !== "br-main" || endpointId !== "ep-main" || role !== "neondb_owner") return notFound();
        if (!databases.some(({ name }) => name === database)) return notFound();
        return `postgresql://${role}:${uri.password}@${uri.host}/${database}`;
      }),
    role: (_, branchId, name) => {
      const exists = intercept === undefined ? created.has(name) : madeRoles.includes(name);
      return Promise.resolve(
        branchId === "br-main" && exists ? { name, createdAt: `made ${name}`, hasPassword: true } : undefined,
      );
    },
    createRole: (_, __, name) => {
      created.add(name);
      return Promise.resolve({ password: `password of ${name}`, createdAt: `made ${name}` });
    },
    revealPassword: (_, __, name) => Promise.resolve(`password of ${name}`),
    deleteRole: async (_, __, role) => {
      await Promise.resolve();
      intercept?.({ role });
    },
    resetPassword: async () => {
      await Promise.resolve();
      intercept?.({});
      return "";
    },
    updateSettings: async (_, plan) => {
      const patch = plan(PROJECT_FACTS);
      if (patch === undefined || !("allowed_ips" in patch)) return;
      const { ips } = patch.allowed_ips;
      await Promise.resolve();
      intercept?.({ removed: LIST.filter((entry) => !ips.includes(entry)) });
    },
  };
  return api as NeonApi;
}

const PROJECT_FACTS: NeonProject = {
  id: PROJECT,
  storePasswords: true,
  logicalReplication: true,
  blockPublicConnections: false,
  allowedIps: { ips: LIST, protectedBranchesOnly: false },
};
