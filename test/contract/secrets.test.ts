import { conceal, redact, secret } from "../../provider/contract/secrets";

const PASSWORD = secret(`aB3$/+@"\\x' é-of-role-0`);

test.each([
  ["as it is", PASSWORD],
  ["in JSON", JSON.stringify({ PASSWORD })],
  ["in SQL", `'${PASSWORD.replaceAll("'", "''")}'`],
  ["in a URL", encodeURIComponent(PASSWORD)],
  ["in a URL, in lower case", encodeURIComponent(PASSWORD).replace(/%../g, (code) => code.toLowerCase())],
  ["in a form", new URLSearchParams({ PASSWORD }).toString()],
  ["in hexadecimal", Buffer.from(PASSWORD).toString("hex")],
  ["in base64", Buffer.from(PASSWORD).toString("base64")],
  ["in base64url", Buffer.from(PASSWORD).toString("base64url")],
  ["in base64 after a name", Buffer.from(`role:${PASSWORD}`).toString("base64")],
  ["in base64 after a longer name", Buffer.from(`owner:${PASSWORD}`).toString("base64")],
])("replaces a password %s", (_, text) => {
  const clean = redact(`before ${text} after`);
  expect(clean).toMatch(/^before .*\[secret\].* after$/s);
  const encoded = Buffer.from(PASSWORD).toString("base64");
  for (let at = 0; at + 8 <= encoded.length; at++) expect(clean).not.toContain(encoded.slice(at, at + 8));
});

test("replaces a long secret, of which no piece is left", () => {
  const key = Array.from({ length: 20_000 }, (_, index) => index.toString(36)).join("Z");
  conceal(key);
  expect(redact(`a ${key} z`)).toMatch(/^a (\[secret\])+ z$/);
});

test.each([
  "postgresql://owner:pa@ss@host/db",
  "postgres://owner:a:b@c@host:5432/db?sslmode=require",
  "https://user:pa@ss@console.neon.tech/api/v2",
])("replaces the password in a URI, whatever it contains: %s", (uri) => {
  expect(redact(`at ${uri} now`)).toMatch(/^at \w+:\/\/\w+:\[secret\]@(host|console)\S* now$/);
});

test("replaces what looks like a key or password of Neon's", () => {
  expect(redact("napi_abc npg_def Bearer abcdefgh0123")).toBe("[secret] [secret] Bearer [secret]");
});

describe("a password that is a common word", () => {
  const text = 'The role "postgres" may not log in: password authentication failed';

  test("does not garble messages", () => {
    for (const word of ["role", "postgres", "password", "authentication", "failed"]) secret(word);
    expect(redact(text)).toBe(text);
  });

  test.each([
    "postgres://neon:postgres@host/db",
    "password=postgres",
    'password: "postgres"',
    '{"password":"postgres","x":1}',
    "PASSWORD 'postgres'",
  ])("is replaced where a password stands: %s", (place) => {
    secret("postgres");
    expect(redact(place).replace(/^postgres:/, "")).not.toContain("postgres");
  });
});

test("replaces a short text that the program marks as secret as a whole word only", () => {
  conceal("novel");
  expect(redact("novel: a novelist of anti-novel, novels")).toBe(
    "[secret]: a novelist of anti-[secret], novels",
  );
});
