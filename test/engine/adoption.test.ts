import path from "node:path";
import { writeFile } from "node:fs/promises";
import { compareFacts, type Fact } from "../../tools/start/catalogs";
import { environmentOf, errorsIn } from "../support/cli";
import { has } from "../support/features";
import { BY_BEMIS_DOCS, BY_NEONS_GUIDE, UNDO_BY_HAND } from "../support/guide";
import { Page, withExampleIds } from "../support/page";
import { diagnostics, excerpt } from "../support/previewText";
import { ROLE_BY_API, ROLE_KIND } from "../support/trailRole";
import { TrailStack } from "../support/trailStack";
import { until } from "../support/until";

// On a busy machine a command of the CLI can take many seconds.
jest.setTimeout(300_000);

/** An adopted role gets a new password, and nobody can give it back; one of Neon's API keeps its password. */
const PASSWORD = ROLE_BY_API ? /^$/ : /^role bemi$/;

let stack: TrailStack;
const page = new Page("migrating-from-the-guide.md");

beforeAll(async () => {
  stack = await TrailStack.open();
  const settings = { enable_logical_replication: true };
  await stack.api("PATCH", `/projects/${stack.info.projectId}`, { project: { settings } });
  await until(async () => {
    const level = await stack.sql<{ wal_level: string }>("SHOW wal_level").catch(() => []);
    return level[0]?.wal_level === "logical";
  });
});

afterAll(() => stack.close());

function rolesOf({ info }: TrailStack): string {
  return `/projects/${info.projectId}/branches/${info.branchId}/roles`;
}

/** Makes a set-up by hand. Before PostgreSQL 16, a reader makes the role in Neon's console, as nothing else can. */
async function makeByHand(statements: string): Promise<void> {
  if (!ROLE_BY_API) return stack.asOwner(statements);
  await stack.api("POST", rolesOf(stack), { role: { name: "bemi" } });
  await until(async () => (await stack.sql("SELECT FROM pg_roles WHERE rolname = 'bemi'")).length > 0);
  await stack.settled();
  await stack.asOwner(statements.replace(/CREATE ROLE bemi [^;]*;/, ""));
}

async function undoByHand(): Promise<void> {
  if (!ROLE_BY_API) return stack.asOwner(UNDO_BY_HAND);
  await stack.asOwner(UNDO_BY_HAND.replace("DROP ROLE bemi", ""));
  await stack.api("DELETE", `${rolesOf(stack)}/bemi`);
  await until(async () => (await stack.sql("SELECT FROM pg_roles WHERE rolname = 'bemi'")).length === 0);
  await stack.settled();
}

function differing(before: readonly Fact[], after: readonly Fact[]): string[] {
  return compareFacts(before, after).map(({ kind, object }) => `${kind} ${object}`);
}

function shown(name: string, output: string): void {
  // The page shows a role that SQL has made.
  if (ROLE_BY_API) return;
  // It also shows a server that cannot publish generated columns, so that no option has to be set for them.
  const text = output.replace(
    /\n *Options of the publication bemi are set again: publish_generated_columns\./,
    "",
  );
  page.expect(name, withExampleIds(text, stack.info));
}

describe.each([
  { title: "Neon's guide", made: BY_NEONS_GUIDE, args: {} },
  {
    title: "Bemi's docs",
    made: BY_BEMIS_DOCS,
    args: { excludeTables: ["public.sessions"] },
  },
])("a set-up made by hand from $title", ({ title, made, args }) => {
  let before: Fact[];
  /** Whether the publication leaves out a generated column of a table that is FULL: it is for all tables, and made without. */
  const leavesOut = made === BY_BEMIS_DOCS && has("generated columns in publications");

  beforeAll(async () => {
    await makeByHand(made);
    before = await stack.facts();
  });
  afterAll(undoByHand);

  test("is refused without adopt, and the refusal says what adopt would do", async () => {
    await stack.declare(undefined, undefined, args);
    const { code, output } = await stack.cli.run(["preview"]);
    expect(code).not.toBe(0);
    const [error = ""] = errorsIn(output);
    // Only its resource knows whether a role of Neon's API is the stack's own, and it comes after the check of all.
    if (!ROLE_BY_API)
      expect(error).toMatch(
        /Role "bemi" exists already.* Set adopt: true.* Taken over, it gets a new password.* stays on destroy/,
      );
    expect(error).toMatch(
      /Publication "bemi" exists already.* Set adopt: true.* Taken over, it lists the selected tables.* destroy gives it back as it is now.* see docs\/migrating-from-the-guide\.md/,
    );
    shown(`refused, ${title}`, diagnostics(output));
  });

  test("is taken over with adopt, and destroy restores exactly what was there", async () => {
    const { cli } = stack;
    await stack.declare(undefined, undefined, { ...args, adopt: true });
    const preview = await cli.must(["preview"]);
    const text = diagnostics(preview);
    expect(text).toMatch(
      ROLE_BY_API
        ? /Role bemi exists already and is used as it is, with its password; it stays on destroy\./
        : /Role bemi exists already and is taken over\. It stays on destroy\./,
    );
    expect(text).toMatch(/\d+ tables have the replica identity FULL already, and keep it on destroy/);
    expect(text).toMatch(/The publication bemi is adopted; destroy gives it back as it is now\./);
    expect(text).toMatch(/made procedure public\._bemi_set_replica_identity.*The trail does that work now/);
    shown(`adopted, ${title}`, text);
    expect(await stack.facts()).toEqual(before);
    await cli.must(["up", "--yes", "--skip-preview"]);
    // Identities were decided before the publication published generated columns: the next up verifies them once more.
    if (leavesOut) await cli.must(["up", "--yes", "--skip-preview"]);
    expect(await cli.must(["preview"])).toMatch(/Resources:\n\s+9 unchanged\n/);
    expect(await cli.output("status")).toMatchObject({ ready: true, degraded: [] });
    await cli.must(["destroy", "--yes", "--skip-preview"]);
    const left = differing(before, await stack.facts()).filter((fact) => !PASSWORD.test(fact));
    // For all tables again, the publication would make writes to a table with a generated column fail.
    const staysList = leavesOut ? /^(publication|published table .* in) bemi$/ : /^$/;
    expect(left.filter((fact) => !staysList.test(fact))).toEqual([]);
  });

  if (made === BY_NEONS_GUIDE)
    test("is imported, and destroy restores it, also before the first up", async () => {
      const { cli } = stack;
      const importAll = async (): Promise<void> => {
        await cli.program("");
        const file = path.join(cli.folder, "import.json");
        await writeFile(file, JSON.stringify({ resources: imports() }));
        // The CLI of machines without Pulumi's downloads cannot print the program.
        await cli.must([
          "import",
          "--file",
          file,
          "--yes",
          "--skip-preview",
          "--protect=false",
          "--generate-code=false",
        ]);
      };
      await importAll();
      await cli.must(["destroy", "--yes", "--skip-preview"]);
      expect(await unlikeBefore()).toEqual([]);

      await importAll();
      await cli.program(importedProgram());
      const preview = await cli.must(["preview", "--diff"]);
      const text = excerpt(preview, [
        ...(ROLE_BY_API ? [] : [{ kind: "ReplicationRole", drift: "passwordChanged", says: /./ }]),
        { kind: "ReplicaIdentity", drift: "recordMissing", says: /./ },
        { kind: "Publication", drift: "publicationOwner", says: /./ },
      ]);
      expect(text).toMatch(
        /recordMissing: "imported, and not recorded yet"[^]*3 tables have the replica identity FULL already/,
      );
      expect(text).not.toMatch(/knows nothing|\(not found\)/);
      shown("imported", text);
      await cli.must(["up", "--yes", "--skip-preview"]);
      expect(await cli.must(["preview"])).toMatch(/Resources:\n\s+6 unchanged\n/);
      await cli.must(["destroy", "--yes", "--skip-preview"]);
      expect(await unlikeBefore()).toEqual([]);
    });

  async function unlikeBefore(): Promise<string[]> {
    return differing(before, await stack.facts()).filter((fact) => !PASSWORD.test(fact));
  }
});

const TABLES = ["public.customers", "public.orders", "public.stock_imports"];

function imports(): object[] {
  const { projectId, branchName, database } = stack.info;
  const id = `${projectId}/${branchName}/${database}/bemi`;
  return [
    ["LogicalReplication", "replication", projectId],
    [ROLE_KIND, "role", id],
    ["ReadAccess", "access", id],
    ["ReplicaIdentity", "identity", id],
    ["Publication", "publication", id],
  ].map(([kind, name, resource]) => ({ type: `neon-bemi:index:${kind ?? ""}`, name, id: resource }));
}

/** What the import prints, in the order of the component. */
function importedProgram(): string {
  const { projectId, branchName: branch, database } = stack.info;
  return `
    const { LogicalReplication, ${ROLE_KIND}, ReadAccess, ReplicaIdentity, Publication } = require("pulumi-neon-bemi");
    const place = ${JSON.stringify({ projectId, branch, database })};
    const tables = ${JSON.stringify(TABLES)};
    const replication = new LogicalReplication("replication", { projectId: place.projectId });
    const role = new ${ROLE_KIND}("role", { ...place, name: "bemi", adopt: true }, { dependsOn: replication });
    const access = new ReadAccess("access", { ...place, role: "bemi", schemas: ["public"] }, { dependsOn: role });
    const identity = new ReplicaIdentity("identity", { ...place, publication: "bemi", tables, trackNewTables: true }, { dependsOn: access });
    new Publication("publication", { ...place, name: "bemi", tables, adopt: true, trackNewTables: true }, { dependsOn: identity });`;
}

test("a branch copied from production is taken over with adopt, and destroy leaves no trace but the role", async () => {
  const { cli, info } = stack;
  // What the copy is to be like in the end: as before the trail of production. The tests before have left FULL.
  await stack.asOwner(`DO $$ DECLARE name regclass; BEGIN
    FOR name IN SELECT oid FROM pg_class WHERE relreplident = 'f' AND relkind IN ('r', 'p') LOOP
      EXECUTE format('ALTER TABLE %s REPLICA IDENTITY DEFAULT', name); END LOOP; END $$`);
  const before = await stack.facts();
  await stack.declare();
  await cli.must(["up", "--yes", "--skip-preview"]);
  const production = await stack.facts();
  const branchId = await stack.branch("preview/42");
  // The gate stands before one server only.
  const env = environmentOf(info);

  await cli.inFolder(["stack", "init", "pr-42"]);
  cli.stack = "pr-42";
  await stack.declare(undefined, undefined, { branch: "preview/42", adopt: true });
  const text = diagnostics(await cli.must(["preview"], env));
  expect(text).toMatch(
    /record in schema _bemi came with the branch: .* by shop\/test\/trail-identity; it is taken over/,
  );
  expect(text).toMatch(
    /The publication bemi, a copy of one that this module made, is taken over; destroy drops it\./,
  );
  shown("a copied branch", text);
  await cli.must(["up", "--yes", "--skip-preview"], env);
  expect(await cli.must(["preview"], env)).toMatch(/Resources:\n\s+9 unchanged\n/);
  await cli.must(["destroy", "--yes", "--skip-preview"], env);
  const left = differing(before, await stack.factsOnBranch(branchId));
  expect(left.filter((fact) => !fact.includes("bemi"))).toEqual([]);
  expect(left.filter((fact) => /publication|identity|trigger|schema/.test(fact))).toEqual([]);

  cli.stack = "test";
  expect(differing(production, await stack.facts())).toEqual([]);
  await stack.declare();
  expect(await cli.must(["preview"])).toMatch(/Resources:\n\s+9 unchanged\n/);
  await cli.must(["destroy", "--yes", "--skip-preview"]);
  expect(differing(before, await stack.facts())).toEqual([]);
});
