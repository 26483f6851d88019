import { Client } from "pg";
import { compareFacts } from "../../tools/start/catalogs";
import { TrailStack } from "../support/trailStack";
import { HOSTILE_ROLE, sprungIn, TRAPS, WITH_EVENT_TRIGGERS } from "../support/traps";

/*
 * What test/postgres/trail/hostile shows of the handlers, through the real engine: a role without rights runs nothing with
 * ours, takes no object of ours, silences no trail and holds none up. In both profiles, side by side.
 */

/** Settings of a hostile session, which every role can make. */
const SETTINGS = "-c pulumi_neon_bemi.parameters={} -c pulumi_neon_bemi.result={} -c _bemi.busy=x";

// Each command of the CLI takes seconds, and two run at a time.
jest.setTimeout(300_000);

const PROFILES = ["strict", "neon"] as const;
let stacks: readonly { profile: (typeof PROFILES)[number]; stack: TrailStack }[];

beforeAll(async () => {
  stacks = await Promise.all(
    PROFILES.map(async (profile) => ({
      profile,
      stack: await TrailStack.open({
        sandbox: { profile },
        args: { schemas: ["app"] },
        prepare: [
          HOSTILE_ROLE,
          "ALTER ROLE cloud_admin SET search_path = pg_catalog",
          TRAPS,
          "GRANT CREATE ON DATABASE neondb TO hostile",
        ],
      }),
    })),
  );
});

afterAll(() => Promise.all(stacks.map(({ stack }) => stack.close())));

test("a role without rights neither runs code as the owner nor takes, silences or holds up a trail", async () => {
  await Promise.all(stacks.map(({ profile, stack }) => attacked(profile, stack)));
});

async function attacked(profile: (typeof PROFILES)[number], stack: TrailStack): Promise<void> {
  const { cli } = stack;
  const sprung = sprungIn(stack.serverLog);

  await asHostile(stack, async (hostile) => {
    await hostile.query(`CREATE SCHEMA _bemi; CREATE TABLE _bemi.identity (relid oid PRIMARY KEY);
      COMMENT ON SCHEMA _bemi IS 'Made by pulumi-neon-bemi; it is removed by pulumi destroy. {}'`);
    const forged = await stack.facts();
    const { code, output } = await cli.run(["preview"]);
    expect(code).not.toBe(0);
    expect(output).toMatch(/schema _bemi belongs to hostile/);
    expect(compareFacts(forged, await stack.facts())).toEqual([]);
    await hostile.query("DROP SCHEMA _bemi CASCADE");
  });

  // It restarts the compute, so nobody is connected meanwhile.
  await cli.must(["up", "--yes", "--skip-preview"]);

  await asHostile(stack, async (hostile) => {
    await hostile.query(`SELECT pg_advisory_lock(hashtext('pulumi-neon-bemi'), hashtext('_bemi')),
      pg_advisory_lock(hashtext('pulumi-neon-bemi publication'))`);
    await hostile.query("CREATE TABLE app.later (id int DEFAULT app.trap(1), note text)");
    const [later] = await stack.sql<{ full: boolean }>(
      "SELECT relreplident = 'f' AS full FROM pg_class WHERE oid = 'app.later'::regclass",
    );
    expect({ profile, full: later?.full }).toEqual({ profile, full: profile === "neon" });
    await cli.must(["up", "--yes"]);
    expect(await cli.output("status")).toMatchObject({ ready: true });

    await hostile.query("DROP TABLE app.later");
    await cli.must(["destroy", "--yes"]);
  });
  await stack.expectRestored();
  expect(sprungIn(stack.serverLog)).toEqual(sprung);
}

/** Works in a session of the hostile role, with settings that are to confuse the module. */
async function asHostile(stack: TrailStack, work: (hostile: Client) => Promise<void>): Promise<void> {
  const hostile = new Client({
    connectionString: stack.info.superuserUri,
    options: `-c search_path=pg_catalog ${SETTINGS}`,
  });
  await hostile.connect();
  try {
    await hostile.query(`${WITH_EVENT_TRIGGERS} SET SESSION AUTHORIZATION hostile`);
    await work(hostile);
  } finally {
    await hostile.end();
  }
}
