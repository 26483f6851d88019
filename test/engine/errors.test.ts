import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { startSandbox } from "../../sandbox";
import type { Sandbox } from "../../sandbox/sandbox";
import { catalogFacts, compareFacts, type Fact } from "../../tools/start/catalogs";
import { withClient } from "../../tools/start/client";
import { Cli } from "../support/cli";
import { counting } from "../support/counts";
import { expectCareful, readRequestLog } from "../support/requestLog";

let sandbox: Sandbox;
let cli: Cli;
let before: Fact[];

beforeAll(async () => {
  sandbox = await startSandbox({});
  const { apiUrl, apiKey, sslRootCert } = sandbox.info;
  cli = await Cli.create({ NEON_API_URL: apiUrl, NEON_API_KEY: apiKey, PGSSLROOTCERT: sslRootCert });
  before = await facts();
});

afterAll(async () => {
  expectCareful(readRequestLog(sandbox.info.requestLog));
  await cli.remove();
  await sandbox.stop();
});

function facts(): Promise<Fact[]> {
  return withClient({ connectionString: sandbox.info.superuserUri }, catalogFacts);
}

/** Runs an API that passes requests on to the sandbox, and replaces the host in the connection URIs of its answers. */
async function withOtherHost(host: string, work: (apiUrl: string) => Promise<void>): Promise<void> {
  const proxy: Server = createServer((request, response) => {
    const headers = { authorization: request.headers.authorization ?? "" };
    void fetch(new URL(request.url ?? "/", sandbox.info.apiUrl), { headers, method: request.method })
      .then(async (answer) => {
        const text = await answer.text();
        response.writeHead(answer.status, { "content-type": "application/json" });
        response.end(text.replace(/@localhost:\d+\//, `@${host}/`));
      })
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  try {
    await work(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}/api/v2`);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
}

/** Runs `pulumi up` and expects one short error that matches `said`, no stack, and no change of Neon or the database. */
async function expectError(
  said: RegExp,
  config: Readonly<Record<string, unknown>> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { projectId, database } = sandbox.info;
  await cli.config({ projectId, database, schemas: ["public"], ...config });
  let output = "";
  let code: number | null = 0;
  const { requests } = await counting(sandbox.info, async () => {
    ({ code, output } = await cli.run(["up", "--yes", "--skip-preview"], env));
  });
  expect(code).not.toBe(0);
  const errors = output
    .slice(output.indexOf("Diagnostics:"))
    .split("\n")
    .filter((line) => line.trim().startsWith("error:") && !line.includes("update failed"));
  expect(errors).toEqual([expect.stringMatching(said)]);
  const sentences = (errors[0] ?? "").split(/[.:?!](?: |$)/).filter((part) => /\S/.test(part));
  expect(sentences.length).toBeLessThanOrEqual(5);
  expect(output).not.toMatch(/\n\s+at .+:\d+:\d+\)?\n/);
  expect(requests.filter((request) => !request.startsWith("GET "))).toEqual([]);
  expect(compareFacts(before, await facts())).toEqual([]);
}

test("reports an API that cannot be reached", async () => {
  await expectError(
    /Neon's API at http:\/\/127\.0\.0\.1:9\/.* cannot be reached.*NEON_API_URL/,
    {},
    {
      NEON_API_URL: "http://127.0.0.1:9/api/v2",
    },
  );
});

test("reports a missing API key", async () => {
  await expectError(/There is no Neon API key\. Set NEON_API_KEY/, {}, { NEON_API_KEY: "" });
});

test("reports a wrong API key", async () => {
  await expectError(
    /401.*The API key is missing, invalid or revoked.*NEON_API_KEY/,
    {},
    { NEON_API_KEY: "napi_wrong" },
  );
});

test("reports an unknown project", async () => {
  await expectError(/no-such-project.*projectId/, { projectId: "no-such-project" });
});

test("reports an unknown branch and lists the branches", async () => {
  await expectError(/has no branch "dev"\. Its branches: main\./, { branch: "dev" });
});

test("reports an unknown database and lists the databases", async () => {
  await expectError(/has no database "neonbd"\. Its databases: neondb\./, { database: "neonbd" });
});

test("refuses a pooled host and says to use the direct one", async () => {
  await withOtherHost("ep-cool-darkness-123456-pooler.localhost:5432", async (apiUrl) => {
    await expectError(/-pooler.*is the connection pooler.*use the direct host/, {}, { NEON_API_URL: apiUrl });
  });
});

test("reports a port on which nothing listens", async () => {
  await withOtherHost("localhost:9", async (apiUrl) => {
    await expectError(/localhost:9/, {}, { NEON_API_URL: apiUrl });
  });
});

test("refuses a server whose certificate cannot be verified", async () => {
  await expectError(
    /TLS connection to localhost:\d+ cannot be trusted.*PGSSLROOTCERT/,
    {},
    { PGSSLROOTCERT: "" },
  );
});

test("reports all mistakes in the configuration at once", async () => {
  await cli.config({ database: "neondb", schemas: "public", allTables: false });
  const { code, output } = await cli.run(["preview"]);
  expect(code).not.toBe(0);
  expect(output).toMatch(
    /neon-bemi:projectId is required.*\n.*neon-bemi:schemas must be a list.*\n.*neon-bemi:allTables can only be true/,
  );
});
