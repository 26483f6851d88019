import fc from "fast-check";
import { UserError } from "../../provider/contract/errors";
import { printable, printableLines } from "../../provider/contract/printable";
import { apiRole, branch, logicalReplication } from "../../provider/neon";
import { ipAllowKind } from "../../provider/neon/ipAllow/ipAllow";
import { liveRun, type LoggedRun } from "../support/run";
import { scriptedApi, type Reply, type ScriptedApi, type SeenRequest } from "./api/scriptedApi";
import { virtualClock } from "./clocks";
import { BRANCH, OWN_BRANCH, PROJECT, SmallNeon, twisted, twists } from "./hostileAnswers";

const CASES = 2_100;

const role = { projectId: PROJECT, branch: "main", database: "neondb", name: "bemi", adopt: false };
const recorded = {
  branchId: BRANCH,
  branchName: "main",
  branchIsDefault: true,
  endpointId: "ep-cool-sea-123456",
  owner: "owner",
};
const roleState = {
  ...role,
  ...recorded,
  host: "ep-cool.neon.example",
  port: 5432,
  username: "bemi",
  password: "password-of-bemi-1",
  created: true,
};
const target = { projectId: PROJECT, branch: "main", database: "neondb" };
const setting = { projectId: PROJECT, mode: "enable" } as const;
const allow = {
  projectId: PROJECT,
  ips: ["203.0.113.7"],
  restrictOpenProject: true,
  openRestrictedProject: false,
};
const allowState = { ...allow, added: ["203.0.113.7"], wasOpen: false };

const newBranch = {
  projectId: PROJECT,
  name: OWN_BRANCH.name,
  schemaOnly: false,
  managedBy: "shop/pr-7/branch",
};
const branchState = {
  ...newBranch,
  branchId: OWN_BRANCH.id,
  endpointId: "ep-own-123456",
  host: "ep-own.neon.example",
  port: 5432,
  createdAt: OWN_BRANCH.created_at,
  ownershipId: "id-1",
};

/** Work of a kind, with what exists before it. */
interface Work {
  readonly roles: readonly string[];
  /** Whether the module's own branch exists. */
  readonly branch?: true;
  readonly do: (run: LoggedRun) => Promise<unknown>;
}

/** Work of every kind of this room. */
const WORK: Readonly<Record<string, Work>> = {
  "plan a branch": { roles: [], do: (run) => branch.plan(newBranch, run) },
  "make a branch": { roles: [], do: (run) => branch.create(newBranch, run) },
  "read a branch": { roles: [], branch: true, do: (run) => branch.read(branchState, run) },
  "read a branch whose creation failed": {
    roles: [],
    branch: true,
    do: (run) => branch.read(newBranch, run),
  },
  "change a branch": {
    roles: [],
    branch: true,
    do: (run) => branch.update(branchState, { ...newBranch, expiresInHours: 1 }, run),
  },
  "delete a branch": { roles: [], branch: true, do: (run) => branch.delete(branchState, run) },
  "turn on": { roles: [], do: (run) => logicalReplication.create(setting, run) },
  "plan to turn on": { roles: [], do: (run) => logicalReplication.plan(setting, run) },
  "read the setting": {
    roles: [],
    do: (run) => logicalReplication.read({ ...setting, ...target, ...recorded }, run),
  },
  "create a role": { roles: [], do: (run) => apiRole.create(role, run) },
  "adopt a role": { roles: ["bemi"], do: (run) => apiRole.create({ ...role, adopt: true }, run) },
  "read a role": { roles: ["bemi"], do: (run) => apiRole.read({ ...roleState, password: undefined }, run) },
  "reset a password": {
    roles: ["bemi"],
    do: (run) => apiRole.update(roleState, { ...role, passwordVersion: 2 }, run),
  },
  "delete a role": { roles: ["bemi"], do: (run) => apiRole.delete(roleState, run) },
  "find a role": { roles: ["bemi"], do: async (run) => apiRole.find?.(`${PROJECT}/main/neondb/bemi`, run) },
  "add an entry": { roles: [], do: (run) => ipAllowKind(run.clock).create(allow, run) },
  "plan an entry": { roles: [], do: (run) => ipAllowKind(run.clock).plan(allow, run) },
  "read entries": { roles: [], do: (run) => ipAllowKind(run.clock).read(allowState, run) },
  "remove entries": { roles: [], do: (run) => ipAllowKind(run.clock).delete(allowState, run) },
  "find entries": { roles: [], do: async (run) => ipAllowKind(run.clock).find?.(PROJECT, run) },
  "resolve a target": { roles: [], do: (run) => run.resolve(target) },
  "resolve a default branch": { roles: [], do: (run) => run.resolve({ projectId: PROJECT }) },
  "resolve after a restore": {
    roles: [],
    do: (run) => run.resolve(target, { ...recorded, branchId: "br-before-123456" }),
  },
  "restart a compute": { roles: [], do: (run) => run.neon.restartEndpoint(PROJECT, recorded.endpointId) },
};

let answer: (request: SeenRequest) => Reply;
let server: ScriptedApi;
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);

beforeAll(async () => {
  process.on("unhandledRejection", note);
  server = await scriptedApi((request) => answer(request));
});
afterAll(async () => {
  process.off("unhandledRejection", note);
  await server.close();
});

/**
 * What a request may change: this project's settings, Bemi's role, the compute, the module's own branch. A role is made on the branch that Neon
 * says the name means; one that exists is changed and deleted on the recorded branch only.
 */
function isAllowed({ method, url, body }: SeenRequest): boolean {
  if (method === "GET") return true;
  const project = `/projects/${PROJECT}`;
  const roles = `${project}/branches/${BRANCH}/roles`;
  const own = `${project}/branches/${OWN_BRANCH.id}`;
  if (method === "PATCH") return url === project || url === own;
  if (method === "DELETE" && url === own) return true;
  if (method === "POST" && url === `${project}/branches`)
    return (body as { branch: { name: string } }).branch.name === newBranch.name;
  if (method === "POST" && /^\/projects\/cool-darkness-123456\/branches\/[a-z0-9-]+\/roles$/.test(url))
    return JSON.stringify(body) === '{"role":{"name":"bemi"}}';
  return (
    (method === "DELETE" && url === `${roles}/bemi`) ||
    (method === "POST" && url === `${roles}/bemi/reset_password`) ||
    (method === "POST" && url === `${project}/endpoints/${recorded.endpointId}/restart`)
  );
}

test(`${CASES} twisted answers lead to no fault and to no request about another object`, async () => {
  const results = { done: 0, refused: 0 };
  const cases = fc.record({ work: fc.constantFrom(...Object.keys(WORK)), at: fc.nat(6), twist: twists });
  await fc.assert(
    fc.asyncProperty(cases, async ({ work, at, twist }) => {
      const { roles, branch: made, do: act } = WORK[work] ?? { roles: [], do: () => Promise.resolve() };
      const neon = new SmallNeon(roles, made);
      let count = 0;
      answer = (request) => {
        const honest = neon.answer(request);
        return count++ === at ? twisted(honest, twist) : honest;
      };
      server.requests.length = 0;
      const clock = virtualClock();
      const run = liveRun({ apiUrl: server.baseUrl, apiKey: "napi_key", sslRootCert: "system", clock });
      try {
        await act(run);
        results.done++;
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        results.refused++;
        expect(printableLines(error.lines).length).toBeLessThan(5_000);
      } finally {
        await run.end();
      }
      expect(server.requests.filter((request) => !isAllowed(request))).toEqual([]);
      expect(run.lines.map((line) => printable(line)).filter((line) => line.length > 5_000)).toEqual([]);
      // However long Neon asks to wait: no work takes longer than its own deadlines.
      expect(clock.elapsed()).toBeLessThan(1_500_000);
    }),
    { numRuns: CASES },
  );
  expect(unhandled).toEqual([]);
  // Neither does every twist lead to an error, nor is none noticed.
  expect(results.done).toBeGreaterThan(CASES / 10);
  expect(results.refused).toBeGreaterThan(CASES / 10);
}, 60_000);
