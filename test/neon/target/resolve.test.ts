import { isGone, UserError } from "../../../provider/contract/errors";
import { DatabaseNotFound, resolveTarget, TargetGone } from "../../../provider/neon/target/resolve";
import type { NeonApi, NeonBranch, NeonEndpoint, NeonProject } from "../../../provider/contract/neonApi";
import { directAddress, parseUri } from "../../../provider/neon/target/connection";
import type { RecordedTarget } from "../../../provider/contract/target";

const PROJECT = "cool-darkness-123456";

interface World {
  branches?: NeonBranch[];
  endpoints?: NeonEndpoint[];
  project?: Partial<NeonProject>;
}

/** Neon's API as far as resolving a target reads it, over plain values. Counts the requests. */
function neonOf({ branches = [branch("main", true)], endpoints = [endpoint()], project = {} }: World) {
  let requests = 0;
  const answer = <Value>(value: Value): Promise<Value> => {
    requests++;
    return Promise.resolve(value);
  };
  const reads: Partial<NeonApi> = {
    knownProject: () =>
      answer({
        id: PROJECT,
        storePasswords: true,
        logicalReplication: false,
        blockPublicConnections: false,
        allowedIps: { ips: [], protectedBranchesOnly: false },
        ...project,
      }),
    branches: (_, search = "") =>
      answer(branches.filter(({ name, id }) => name.includes(search) || id === search)),
    branch: (_, id) => answer(branches.find((one) => one.id === id)),
    endpoints: () => answer(endpoints),
    databases: () =>
      answer([
        { name: "neondb", owner: "neondb_owner" },
        { name: "Orders", owner: "app" },
      ]),
  };
  return { neon: reads as NeonApi, requests: () => requests };
}

function branch(name: string, isDefault = false, id = `br-${name}`): NeonBranch {
  return { id, name, isDefault, isProtected: false, annotation: {} };
}

function endpoint(changes: Partial<NeonEndpoint> = {}): NeonEndpoint {
  return { id: "ep-a", host: "ep-a.aws.neon.tech", readWrite: true, disabled: false, ...changes };
}

function resolve(
  world: World,
  target: { branch?: string; database?: string },
  recorded?: string | Partial<RecordedTarget>,
) {
  const lines: string[] = [];
  const { neon, requests } = neonOf(world);
  const work = resolveTarget(
    neon,
    { projectId: PROJECT, ...target },
    typeof recorded === "string" ? { branchId: recorded } : recorded,
    (line) => lines.push(line),
  );
  return { work, requests, lines };
}

describe("with compute and owner in the state", () => {
  const state = {
    branchId: "br-main",
    branchName: "main",
    branchIsDefault: true,
    endpointId: "ep-a",
    owner: "app",
  };
  const target = { projectId: PROJECT, database: "neondb" };

  test("two requests and the connection URI show that nothing has changed", async () => {
    const { neon, requests } = neonOf({});
    const connectionUri = () =>
      Promise.resolve("postgresql://app:pw@ep-a.aws.neon.tech/neondb?sslmode=require");
    const found = await resolveTarget({ ...neon, connectionUri }, target, state, () => undefined);
    expect(found).toEqual({
      projectId: PROJECT,
      branchId: "br-main",
      branchName: "main",
      branchIsDefault: true,
      endpointId: "ep-a",
      host: "ep-a.aws.neon.tech:5432",
      database: { name: "neondb", owner: "app" },
    });
    expect(requests()).toBe(2);
  });

  test("asks for project, branch and connection URI at the same time", async () => {
    const { neon } = neonOf({});
    let answerAll: () => void = () => undefined;
    const allAsked = new Promise<void>((resolve) => (answerAll = resolve));
    const held =
      <Value>(ask: () => Promise<Value>) =>
      async (): Promise<Value> => {
        await allAsked;
        return ask();
      };
    const connectionUri = () => {
      answerAll();
      return Promise.resolve("postgresql://app:pw@ep-a.aws.neon.tech/neondb");
    };
    const knownProject = held(() => neon.knownProject(PROJECT));
    const branches = held(() => neon.branches(PROJECT));
    const patient = { ...neon, knownProject, branches, connectionUri };
    const found = resolveTarget(patient, target, state, () => undefined);
    await expect(found).resolves.toMatchObject({ endpointId: "ep-a" });
  }, 5_000);

  test("reports that the project is not visible before anything else that fails", async () => {
    const { neon } = neonOf({});
    const failing = (message: string) => () => Promise.reject(new UserError(message));
    const broken = {
      ...neon,
      knownProject: failing("project"),
      branches: failing("branches"),
      connectionUri: failing("uri"),
    };
    await expect(resolveTarget(broken, target, state, () => undefined)).rejects.toThrow("project");
  });

  test("looks the compute up again if it is gone", async () => {
    const { neon } = neonOf({ endpoints: [endpoint({ id: "ep-b", host: "ep-b.aws.neon.tech" })] });
    const connectionUri = () => Promise.reject(new TargetGone("no such compute"));
    const found = await resolveTarget({ ...neon, connectionUri }, target, state, () => undefined);
    expect(found).toMatchObject({ endpointId: "ep-b", database: { name: "neondb", owner: "neondb_owner" } });
  });
});

test("finds default branch, read-write compute and the database's owner in four requests", async () => {
  const world = {
    branches: [branch("dev"), branch("main", true)],
    endpoints: [endpoint({ id: "ep-r", readWrite: false }), endpoint()],
  };
  const { work, requests } = resolve(world, { database: "neondb" });
  await expect(work).resolves.toEqual({
    projectId: PROJECT,
    branchId: "br-main",
    branchName: "main",
    branchIsDefault: true,
    endpointId: "ep-a",
    host: "ep-a.aws.neon.tech",
    database: { name: "neondb", owner: "neondb_owner" },
  });
  expect(requests()).toBe(4);
});

test.each([
  ["by exact name among names that contain it", "prod", "br-prod"],
  ["by id", "br-prod-2", "br-prod-2"],
  ["by a name that looks like an id", "br-odd name", "br-br-odd name"],
])("finds a branch %s", async (_, wanted, id) => {
  const branches = [branch("main", true), branch("prod"), branch("prod-2"), branch("br-odd name")];
  await expect(resolve({ branches }, { branch: wanted }).work).resolves.toMatchObject({ branchId: id });
});

const many = Array.from({ length: 150 }, (_, at) => branch(`feature-${at}`));
test.each<[string, World, { branch?: string; database?: string }, RegExp]>([
  [
    "an unknown branch",
    { branches: [branch("Main", true), branch("dev")] },
    { branch: "main" },
    /no branch "main"\. Its branches: Main, dev\. Did you mean "Main"\?$/,
  ],
  [
    "one of 150 branches",
    { branches: many },
    { branch: "feature" },
    /Its branches: (feature-\d+, ){4}feature-\d+ and 145 more\.$/,
  ],
  [
    "no branch of that name by part of it",
    { branches: [branch("main", true)] },
    { branch: "mai" },
    /no branch "mai"/,
  ],
  [
    "two of one name",
    { branches: [branch("a", false, "br-1"), branch("a", false, "br-2")] },
    { branch: "a" },
    /several branches "a" \(br-1, br-2\)/,
  ],
  [
    "a branch without compute",
    { endpoints: [endpoint({ readWrite: false })] },
    {},
    /no read-write compute on branch main/,
  ],
  [
    "a disabled compute",
    { endpoints: [endpoint({ disabled: true })] },
    {},
    /compute ep-a .* is disabled: enable it/,
  ],
  [
    "a pooler",
    { endpoints: [endpoint({ host: "ep-a-pooler.aws.neon.tech" })] },
    {},
    /use the direct host ep-a\.aws\.neon\.tech/,
  ],
  [
    "a database in another case",
    {},
    { database: "orders" },
    /no database "orders"\. Its databases: Orders, neondb\. Did you mean "Orders"\?$/,
  ],
  ["private networking", { project: { blockPublicConnections: true } }, {}, /block_public_connections/],
  [
    "no stored passwords",
    { project: { storePasswords: false } },
    { database: "neondb" },
    /store_passwords is off/,
  ],
])("refuses %s and says what to do", async (_, world, target, message) => {
  await expect(resolve(world, target).work).rejects.toThrow(message);
});

test("nothing counts as gone by its name, nor a project that the key does not see", async () => {
  const hidden = () => Promise.reject(Object.assign(new UserError("Neon answered 404"), { gone: true }));
  const { neon } = neonOf({});
  for (const work of [
    resolve({}, { branch: "x" }).work,
    resolve({}, { database: "x" }).work,
    resolve({}, { database: "x" }, "br-main").work,
    resolve({ endpoints: [] }, {}).work,
    resolveTarget({ ...neon, knownProject: hidden }, { projectId: PROJECT }, undefined, () => undefined),
  ]) {
    const error: unknown = await work.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(isGone(error)).toBe(false);
  }
  await expect(resolve({}, { database: "x" }).work).rejects.toBeInstanceOf(DatabaseNotFound);
});

describe("with a recorded branch", () => {
  test("follows a branch that has another name now, and says so", async () => {
    const { work, lines } = resolve({ branches: [branch("prod", true, "br-1")] }, { branch: "main" }, "br-1");
    await expect(work).resolves.toMatchObject({ branchId: "br-1", branchName: "prod" });
    expect(lines).toEqual([expect.stringMatching(/"main" .* is called "prod" now \(br-1\).*Set branch to/)]);
  });

  test("a branch is gone when neither its name nor its recorded id exists", async () => {
    await expect(resolve({}, { branch: "dev" }, "br-dev").work).rejects.toBeInstanceOf(TargetGone);
  });

  test("refuses a name that means another branch now, and names both branches", async () => {
    const branches = [branch("main", true, "br-new"), branch("old-main", false, "br-old")];
    await expect(resolve({ branches }, {}, "br-old").work).rejects.toThrow(
      /main \(br-new\).*old-main \(br-old\)/,
    );
  });

  test("accepts and logs a restore that kept the old branch and moved its compute", async () => {
    const branches = [branch("main", true, "br-new"), branch("main_old", false, "br-old")];
    const before = { branchId: "br-old", endpointId: "ep-a" };
    const { work, lines } = resolve({ branches }, { branch: "main" }, before);
    await expect(work).resolves.toMatchObject({ branchId: "br-new" });
    expect(lines).toEqual([expect.stringMatching(/br-new; br-old is kept as main_old, as after a restore/)]);
    const elsewhere = { branchId: "br-old", endpointId: "ep-b" };
    await expect(resolve({ branches }, { branch: "main" }, elsewhere).work).rejects.toThrow(/now means main/);
  });

  test("accepts and logs a restore after which the old branch is gone", async () => {
    const { work, lines } = resolve(
      { branches: [branch("main", true, "br-new")] },
      { branch: "main" },
      "br-old",
    );
    await expect(work).resolves.toMatchObject({ branchId: "br-new" });
    expect(lines).toEqual([expect.stringMatching(/br-new; br-old is gone, as after a restore/)]);
  });

  test("accepts project settings that would be refused for a new stack", async () => {
    const world = { project: { blockPublicConnections: true, storePasswords: false } };
    await expect(resolve(world, { database: "neondb" }, "br-main").work).resolves.toMatchObject({
      endpointId: "ep-a",
    });
  });
});

describe("connection URIs", () => {
  test("are split into their parts, without the parameters", () => {
    expect(
      parseUri(
        "postgresql://neondb_owner:npg_a%40b%2F%25@ep-a.aws.neon.tech/my%20db?sslmode=require&channel_binding=require",
      ),
    ).toEqual({
      host: "ep-a.aws.neon.tech",
      port: 5432,
      database: "my db",
      user: "neondb_owner",
      password: "npg_a@b/%",
    });
    expect(parseUri("postgres://o:pass@localhost:54321/db")).toMatchObject({
      host: "localhost",
      port: 54321,
    });
  });

  test.each([
    "",
    "postgresql://",
    "postgresql://host/db",
    "postgresql://o:secret99@host",
    "postgresql://o:%zz@h/db",
  ])("are refused without being repeated in the error: %j", (uri) => {
    expect(() => parseUri(uri)).toThrow(/lacks a host, database, user or password/);
    expect(() => parseUri(uri)).not.toThrow(/secret99/);
  });

  test("a pooler is recognised by the endpoint's name only", () => {
    expect(() => directAddress("ep-a-pooler.c-2.aws.neon.tech:5432")).toThrow(/ep-a\.c-2\.aws\.neon\.tech/);
    expect(directAddress("ep-a.my-pooler.example")).toEqual({ host: "ep-a.my-pooler.example", port: 5432 });
  });
});
