import { readFileSync } from "node:fs";
import { parseStackConfig, StackConfigError } from "../stackConfig";

function mistakesOf(config: Record<string, string>): readonly string[] {
  try {
    parseStackConfig(config);
  } catch (error) {
    if (error instanceof StackConfigError) return error.mistakes;
    throw error;
  }
  return [];
}

const minimal = { "neon-bemi:projectId": "cool-darkness-123456", "neon-bemi:database": "neondb" };

test("reads texts, lists, flags and objects as pulumi config writes them", () => {
  expect(
    parseStackConfig({
      ...minimal,
      "neon-bemi:branch": "123",
      "neon-bemi:schemas": '["public","billing"]',
      "neon-bemi:trackNewTables": "false",
      "neon-bemi:role": '{"name":"bemi_reader","createdBy":"api","passwordVersion":2}',
      "neon:apiUrl": "https://console.neon.tech/api/v2",
    }),
  ).toEqual({
    projectId: "cool-darkness-123456",
    database: "neondb",
    branch: "123",
    schemas: ["public", "billing"],
    trackNewTables: false,
    role: { name: "bemi_reader", createdBy: "api", passwordVersion: 2 },
  });
});

test("reports every mistake at once, each with its key and the command that mends it", () => {
  const mistakes = mistakesOf({
    "neon-bemi:projectId": "Not An Id",
    "neon-bemi:environment": "prod",
    "neon-bemi:schemas": "public",
    "neon-bemi:adopt": "yes",
    "neon-bemi:role": '{"createdBy":"hand"}',
    "neon-bemi:schema": '["public"]',
  });
  expect(mistakes).toEqual([
    expect.stringMatching(/^neon-bemi:schema is not a key.*pulumi config rm neon-bemi:schema$/),
    expect.stringMatching(
      /^neon-bemi:projectId must be a Neon id.*pulumi config set neon-bemi:projectId VALUE$/,
    ),
    expect.stringMatching(/^neon-bemi:database is required.*pulumi config set neon-bemi:database VALUE$/),
    expect.stringMatching(/^neon-bemi:environment must be Production, Staging or Test/),
    expect.stringMatching(
      /^neon-bemi:schemas must be a list of texts; fix: pulumi config set --path 'neon-bemi:schemas\[0\]' VALUE$/,
    ),
    expect.stringMatching(/^neon-bemi:role\.createdBy must be "sql" or "api"/),
    expect.stringMatching(/^neon-bemi:adopt must be true or false/),
  ]);
});

test("refuses two ways of saying what to track", () => {
  expect(
    mistakesOf({ ...minimal, "neon-bemi:schemas": '["public"]', "neon-bemi:allTables": "true" }),
  ).toEqual([expect.stringMatching(/^neon-bemi:schemas and neon-bemi:allTables exclude each other/)]);
});

test("refuses what a resource would refuse, under the key the user has set", () => {
  const mistakes = mistakesOf({
    ...minimal,
    "neon-bemi:tables": '["public.orders","x"]',
    "neon-bemi:role": '{"name":"pg_bemi","created":"sql"}',
    "neon-bemi:publication": "Bemi",
    "neon-bemi:slot": "my-slot",
    "neon-bemi:allowedIps": "[]",
  });
  expect(mistakes).toEqual([
    expect.stringMatching(
      /^neon-bemi:tables\[1\] must be a table name.*pulumi config set --path 'neon-bemi:tables\[1\]' VALUE$/,
    ),
    expect.stringMatching(
      /^neon-bemi:role\.name is reserved by PostgreSQL or Neon; fix: pulumi config set --path neon-bemi:role\.name VALUE$/,
    ),
    expect.stringMatching(
      /^neon-bemi:role\.created is not a key of neon-bemi:role \(known: name, createdBy, passwordVersion\); remove it: pulumi config rm --path neon-bemi:role\.created$/,
    ),
    expect.stringMatching(/^neon-bemi:publication must be 1 to 63 lower-case letters, digits or underscores/),
    expect.stringMatching(/^neon-bemi:slot must be 1 to 63 lower-case letters, digits or underscores/),
    expect.stringMatching(/^neon-bemi:allowedIps must not be an empty list/),
  ]);
});

test("shows what an object looks like where a key needs one", () => {
  expect(mistakesOf({ ...minimal, "neon-bemi:role": "bemi" })).toEqual([
    'neon-bemi:role must be an object such as {"name":"bemi","createdBy":"sql"}; fix: pulumi config set --path neon-bemi:role.name VALUE',
  ]);
});

test("takes an empty list of excluded tables, which means none", () => {
  expect(mistakesOf({ ...minimal, "neon-bemi:excludeTables": "[]" })).toEqual([]);
});

test("reports selections that exclude each other along with the other mistakes", () => {
  expect(
    mistakesOf({
      ...minimal,
      "neon-bemi:adopt": "yes",
      "neon-bemi:tables": '["public.orders"]',
      "neon-bemi:schemas": '["public"]',
    }),
  ).toEqual([
    expect.stringMatching(/^neon-bemi:adopt must be true or false/),
    "neon-bemi:schemas and neon-bemi:tables exclude each other; keep one of them: pulumi config rm neon-bemi:tables",
  ]);
});

test("the settings of the sandbox's stack are nobody's: a salt in them would refuse every other passphrase", () => {
  expect(readFileSync("Pulumi.sandbox.yaml", "utf8")).not.toMatch(/encryptionsalt|projectId:/);
});
