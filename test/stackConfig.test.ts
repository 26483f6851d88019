import { readFileSync } from "node:fs";
import { parseStackConfig, StackConfigError } from "../stackConfig";

const PLACE = { project: "audit-trail" };

function mistakesOf(config: Record<string, string>, place = PLACE): readonly string[] {
  try {
    parseStackConfig(config, place);
  } catch (error) {
    if (error instanceof StackConfigError) return error.mistakes;
    throw error;
  }
  return [];
}

const minimal = { "audit-trail:projectId": "cool-darkness-123456", "audit-trail:database": "neondb" };

test("reads texts, lists, flags and objects as pulumi config writes them", () => {
  expect(
    parseStackConfig(
      {
        ...minimal,
        "audit-trail:branch": "123",
        "audit-trail:schemas": '["public","billing"]',
        "audit-trail:trackNewTables": "false",
        "audit-trail:role": '{"name":"bemi_reader","createdBy":"api","passwordVersion":2}',
        "neon-bemi:apiKey": "napi_secret",
        "neon-bemi:apiUrl": "https://console.neon.tech/api/v2",
        "pulumi:tags": '{"team":"shop"}',
        "postgresql:database": "other",
      },
      PLACE,
    ),
  ).toEqual({
    projectId: "cool-darkness-123456",
    database: "neondb",
    branch: "123",
    schemas: ["public", "billing"],
    trackNewTables: false,
    role: { name: "bemi_reader", createdBy: "api", passwordVersion: 2 },
  });
});

test("reads migrations, and says how to mend them", () => {
  const given = (value: string): Record<string, string> => ({ ...minimal, "audit-trail:migrations": value });
  const migrations = { command: "npx prisma migrate deploy", triggers: ["9f2c", 7] };
  expect(parseStackConfig(given(JSON.stringify(migrations)), PLACE)).toMatchObject({ migrations });
  expect(mistakesOf(given('{"triggers":["1"]}'))).toEqual([
    expect.stringMatching(
      /^migrations\.command is required: .*; fix: pulumi config set --path migrations\.command VALUE$/,
    ),
  ]);
  expect(mistakesOf(given('{"command":"c","trigger":["1"]}'))).toEqual([
    expect.stringMatching(
      /^migrations\.trigger is not a key of migrations \(did you mean migrations\.triggers\?\)/,
    ),
  ]);
});

test("reports every mistake at once, each with its key and the command that mends it", () => {
  const mistakes = mistakesOf({
    "audit-trail:projectId": "Not An Id",
    "audit-trail:environment": "prod",
    "audit-trail:schemas": "public",
    "audit-trail:adopt": "yes",
    "audit-trail:role": '{"createdBy":"hand"}',
    "audit-trail:schema": '["public"]',
  });
  expect(mistakes).toEqual([
    expect.stringMatching(/^projectId must be a Neon id.*pulumi config set projectId VALUE$/),
    expect.stringMatching(/^database is required.*pulumi config set database VALUE$/),
    expect.stringMatching(/^environment must be Production, Staging or Test/),
    expect.stringMatching(
      /^schemas must be a list of texts; fix: pulumi config set --path 'schemas\[0\]' VALUE$/,
    ),
    expect.stringMatching(/^role\.createdBy must be "sql" or "api"/),
    expect.stringMatching(/^adopt must be true or false/),
    expect.stringMatching(
      /^schema is not a key of this program \(did you mean schemas\?\); remove it: pulumi config rm schema$/,
    ),
  ]);
});

test("reads the identities of tables, and names a wrong one as --path takes it", () => {
  const given = { ...minimal, "audit-trail:identity": '{"tables":{"public.documents":"primaryKey"}}' };
  expect(parseStackConfig(given, PLACE).identity).toEqual({ tables: { "public.documents": "primaryKey" } });
  const wrong = { default: "key", tables: { documents: "full", "public.notes": "primarykey" }, table: {} };
  expect(mistakesOf({ ...minimal, "audit-trail:identity": JSON.stringify(wrong) })).toEqual([
    'identity.default must be "full" or "primaryKey"; fix: pulumi config set --path identity.default VALUE',
    expect.stringMatching(
      /^identity\.tables\.documents must be a table name with its schema, such as "public\.orders".*; remove it: pulumi config rm --path identity\.tables\.documents$/,
    ),
    `identity.tables["public.notes"] must be "full" or "primaryKey"; fix: pulumi config set --path 'identity.tables["public.notes"]' primaryKey`,
    "identity.table is not a key of identity (did you mean identity.tables?); remove it: pulumi config rm --path identity.table",
  ]);
  expect(mistakesOf({ ...minimal, "audit-trail:identity": '"full"' })).toEqual([
    'identity must be an object such as {"default":"full"}; fix: pulumi config set --path identity.default VALUE',
  ]);
});

test("refuses two ways of saying what to track", () => {
  expect(
    mistakesOf({ ...minimal, "audit-trail:schemas": '["public"]', "audit-trail:allTables": "true" }),
  ).toEqual([
    "schemas and allTables exclude each other: give one of them; remove the other: pulumi config rm allTables",
  ]);
});

test("refuses what a resource would refuse, under the key the user has set", () => {
  const mistakes = mistakesOf({
    ...minimal,
    "audit-trail:tables": '["public.orders","x"]',
    "audit-trail:role": '{"name":"pg_bemi","created":"sql"}',
    "audit-trail:publication": "Bemi",
    "audit-trail:slot": "my-slot",
    "audit-trail:allowedIps": "[]",
  });
  expect(mistakes).toEqual([
    expect.stringMatching(/^tables\[1\] must be a table name.*pulumi config set --path 'tables\[1\]' VALUE$/),
    expect.stringMatching(
      /^role\.name is reserved by PostgreSQL or Neon; fix: pulumi config set --path role\.name VALUE$/,
    ),
    "role.created is not a key of role (did you mean role.createdBy?); remove it: pulumi config rm --path role.created",
    expect.stringMatching(/^publication must be 1 to 63 lower-case letters, digits or underscores/),
    expect.stringMatching(/^slot must be 1 to 63 lower-case letters, digits or underscores/),
    expect.stringMatching(/^allowedIps must not be an empty list/),
  ]);
});

test("lists the keys where none is near the one that was set", () => {
  expect(mistakesOf({ ...minimal, "audit-trail:role": '{"user":"bemi"}' })).toEqual([
    "role.user is not a key of role (known: name, createdBy, passwordVersion); remove it: pulumi config rm --path role.user",
  ]);
});

test("says how names that look like numbers or truth values stay texts", () => {
  expect(
    mistakesOf({ ...minimal, "audit-trail:schemas": "[2024,true]", "audit-trail:publication": "7" }),
  ).toEqual([
    expect.stringMatching(/; fix: pulumi config set --type string --path 'schemas\[0\]' 2024$/),
    expect.stringMatching(/; fix: pulumi config set --type string --path 'schemas\[1\]' true$/),
  ]);
});

test("shows what an object looks like where a key needs one", () => {
  expect(mistakesOf({ ...minimal, "audit-trail:role": "bemi" })).toEqual([
    'role must be an object such as {"name":"bemi","createdBy":"sql"}; fix: pulumi config set --path role.name VALUE',
  ]);
});

test("takes an empty list of excluded tables, which means none", () => {
  expect(mistakesOf({ ...minimal, "audit-trail:excludeTables": "[]" })).toEqual([]);
});

test("reports selections that exclude each other along with the other mistakes", () => {
  expect(
    mistakesOf({
      ...minimal,
      "audit-trail:adopt": "yes",
      "audit-trail:tables": '["public.orders"]',
      "audit-trail:schemas": '["public"]',
    }),
  ).toEqual([
    expect.stringMatching(/^adopt must be true or false/),
    "schemas and tables exclude each other: give one of them; remove the other: pulumi config rm tables",
  ]);
});

describe("a key in another namespace", () => {
  test("of the provider is said once, with the command that sets it where it belongs", () => {
    expect(
      mistakesOf({ "neon-bemi:projectId": "cool-darkness-123456", "neon-bemi:schemas": '["public"]' }),
    ).toEqual([
      "neon-bemi:projectId is not a setting of the provider. Did you mean projectId? Fix: pulumi config set projectId VALUE",
      "neon-bemi:schemas is not a setting of the provider. Did you mean schemas? Fix: pulumi config set --path 'schemas[0]' VALUE",
      expect.stringMatching(/^database is required/),
    ]);
  });

  test("that the provider does not have is refused, because it would be left out without a word", () => {
    expect(mistakesOf({ ...minimal, "neon-bemi:apikey": "napi_secret", "neon-bemi:x": "1" })).toEqual([
      "neon-bemi:apikey is not a setting of the provider. Did you mean neon-bemi:apiKey? Fix: pulumi config set --secret neon-bemi:apiKey VALUE",
      "neon-bemi:x is not a setting of the provider; remove it: pulumi config rm neon-bemi:x",
    ]);
  });

  test("of another project is said in place of the key that is missing", () => {
    expect(
      mistakesOf({ "shop:projectId": "cool-darkness-123456", "audit-trail:database": "neondb" }),
    ).toEqual([
      "shop:projectId belongs to the project shop. Did you mean projectId? Fix: pulumi config set projectId VALUE",
    ]);
    expect(mistakesOf({ ...minimal, "shop:projectId": "p", "shop:tables": '["public.orders"]' })).toEqual([
      expect.stringMatching(/^shop:tables belongs to the project shop\. Did you mean tables\? /),
    ]);
  });

  test("is this program's own where the project has another name", () => {
    expect(
      parseStackConfig({ "shop:projectId": "p", "shop:database": "neondb" }, { project: "shop" }),
    ).toEqual({ projectId: "p", database: "neondb" });
  });
});

test("prints the command by which the user reached the Pulumi CLI", () => {
  const place = { ...PLACE, command: "npm run pulumi --" };
  expect(mistakesOf({ "audit-trail:database": "neondb" }, place)).toEqual([
    expect.stringMatching(/; fix: npm run pulumi -- config set projectId VALUE$/),
  ]);
});

test("no message contains a value of the configuration", () => {
  const config = {
    "audit-trail:projectId": "S3CRET",
    "audit-trail:role": '{"name":"S3CRET\\u0000","S3CRE":1}',
    "audit-trail:tables": '["S3CRET","x"]',
    "neon-bemi:apikey": "S3CRET",
    "shop:database": "S3CRET",
  };
  expect(mistakesOf(config).join("\n")).not.toContain("S3CRET");
});

test("the settings of the sandbox's stack are nobody's: a salt in them would refuse every other passphrase", () => {
  expect(readFileSync("Pulumi.sandbox.yaml", "utf8")).not.toMatch(/encryptionsalt|projectId:/);
});
