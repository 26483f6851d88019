import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { trailsOf } from "../../commands/declared";
import { readExceptions } from "../../commands/plan/exceptions";
import { plan } from "../../commands/plan/plan";
import { operationsOf, settingsOf } from "../../commands/plan/settings";
import { readExport, readPreview } from "../../commands/pulumi";
import { UserError } from "../../provider/contract/errors";
import { redact } from "../../provider/contract/secrets";
import type { PlanReport } from "../../report/plan/report";

const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const STACK = "urn:pulumi:production::shop::";
const COMPONENT = `${STACK}neon-bemi:index:BemiAuditTrail::orders`;
const PROVIDER = `${STACK}pulumi:providers:neon-bemi::default`;
const TARGET = { projectId: "cool-darkness-123456", database: "neondb" };

interface Parts {
  readonly outputs?: object;
  readonly parent?: string;
}

/** A resource of the component, as Pulumi writes it. */
function resource(type: string, inputs: object, { outputs, parent = COMPONENT }: Parts = {}) {
  return {
    urn: `${parent === COMPONENT ? `${COMPONENT.slice(0, -8)}$` : STACK}neon-bemi:index:${type}::orders-${type}`,
    type: `neon-bemi:index:${type}`,
    parent,
    provider: `${PROVIDER}::${UNKNOWN}`,
    inputs: { ...TARGET, ...inputs },
    ...(outputs === undefined ? {} : { outputs }),
    stackTrace: [
      { sourcePosition: "project:///node_modules/pulumi-neon-bemi/dist/components/trail.js#70,5" },
      { sourcePosition: "project:///../elsewhere.ts#1,1" },
      { sourcePosition: "project:///index.ts#12,15" },
    ],
  };
}

type Resource = ReturnType<typeof resource>;

function step(op: string, newState: Resource | undefined, oldState?: Resource) {
  return { op, urn: (newState ?? oldState)?.urn, oldState, newState };
}

const PUBLICATION = resource("Publication", {
  name: "bemi",
  schemas: ["public"],
  excludeTables: ["public.x"],
});

const CREATE = {
  steps: [
    step(
      "create",
      resource("LogicalReplication", { mode: "enable", preflight: { role: "bemi", slot: "bemi" } }),
    ),
    step("create", resource("ApiRole", { name: "auditor", adopt: true })),
    step("create", PUBLICATION),
    step("create", resource("ReplicationSlot", { name: "bemi", dropOnDestroy: true, role: "auditor" })),
    step("create", resource("Readiness", { after: [UNKNOWN], role: "auditor" })),
    step(
      "create",
      resource("IpAllow", { ips: ["203.0.113.7"], database: undefined, restrictOpenProject: true }),
    ),
  ],
  diagnostics: [{ urn: PUBLICATION.urn, message: "The publication bemi is created.\n", severity: "info" }],
};

describe("a preview", () => {
  const preview = readPreview(JSON.stringify(CREATE), "The preview");
  const [trail] = trailsOf(preview.resources);

  it("shows the arguments of a trail", () => {
    expect(trail && settingsOf(trail)).toEqual({
      ...TARGET,
      selection: { schemas: ["public"], excludeTables: ["public.x"] },
      trackNewTables: true,
      role: "auditor",
      createdBy: "api",
      readAccess: false,
      publication: "bemi",
      slot: "bemi",
      dropSlotOnDestroy: true,
      adopt: true,
      logicalReplication: "enable",
      allowedIps: ["203.0.113.7"],
      restrictOpenProject: true,
    });
    expect(trail).toMatchObject({
      name: "orders",
      resources: [{ source: { file: "index.ts", line: 12 } }, {}, {}, {}, {}, {}],
    });
    expect(preview.stack).toEqual({ project: "shop", name: "production" });
  });

  it("shows as drift what its read has found, and what is done about it", () => {
    const drifted = resource(
      "Publication",
      { name: "bemi" },
      { outputs: { done: 18, notPublished: "public.orders" } },
    );
    const same = resource("Readiness", {}, { outputs: { ready: true } });
    const { resources } = readPreview(
      JSON.stringify({
        steps: [
          step("refresh", drifted, PUBLICATION),
          step("refresh", same, same),
          step("update", PUBLICATION, drifted),
        ],
      }),
      "The preview",
    );
    expect(resources.map(({ type, drift, outputs }) => ({ type, drift, outputs }))).toEqual([
      {
        type: "Publication",
        drift: [{ name: "notPublished", text: "public.orders" }],
        outputs: { done: 18 },
      },
      { type: "Readiness", drift: [], outputs: { ready: true } },
    ]);
    expect(
      trailsOf(resources)
        .flatMap(operationsOf)
        .map(({ change }) => change),
    ).toEqual(["update", "none"]);
  });

  describe("of a trail whose branch is not known yet", () => {
    const made = (name: string, inputs: object = {}) => {
      const branch = resource("Branch", { name, database: undefined, ...inputs }, { parent: STACK });
      return step("create", { ...branch, urn: `${branch.urn}-${name}` });
    };
    const on = step("create", resource("Publication", { branch: UNKNOWN }));

    it.each([
      [
        "names the branch that is copied",
        [made("pr-7", { parent: "main" })],
        { branch: "main", copyAs: "pr-7" },
      ],
      ["means the default branch where none is named", [made("pr-7")], { copyAs: "pr-7" }],
    ])("%s", (_, branches, expected) => {
      const { resources } = readPreview(JSON.stringify({ steps: [...branches, on] }), "The preview");
      const [trail, ...others] = trailsOf(resources);
      expect(others).toEqual([]);
      const { branch, copyAs } = (trail && settingsOf(trail, resources)) ?? {};
      expect({ ...(branch === undefined ? {} : { branch }), copyAs }).toEqual(expected);
    });

    it.each([
      ["no branch is made", []],
      ["two branches are made", [made("pr-7"), made("pr-8")]],
      ["the parent is not known either", [made("pr-7", { parent: UNKNOWN })]],
      ["the branch is of another project", [made("pr-7", { projectId: "other-project-654321" })]],
    ])("knows no database where %s", (_, branches) => {
      const { resources } = readPreview(JSON.stringify({ steps: [...branches, on] }), "The preview");
      expect(trailsOf(resources).map((each) => settingsOf(each, resources))).toEqual([undefined]);
    });
  });

  it("knows no database before the project exists", () => {
    const { resources } = readPreview(
      JSON.stringify({ steps: [step("create", resource("Publication", { projectId: UNKNOWN }))] }),
      "The preview",
    );
    expect(trailsOf(resources).map((each) => settingsOf(each))).toEqual([undefined]);
  });

  it("groups resources that a program declares by themselves by their database", () => {
    const alone = { parent: `${STACK}pulumi:pulumi:Stack::shop-production` };
    const { resources } = readPreview(
      JSON.stringify({
        steps: [
          step("create", resource("Publication", {}, alone)),
          step("create", resource("Readiness", { database: "other" }, alone)),
          step("create", resource("IpAllow", { database: undefined }, alone)),
        ],
      }),
      "The preview",
    );
    expect(trailsOf(resources).map((each) => [each.name, each.resources.length])).toEqual([
      ["cool-darkness-123456/neondb", 2],
      ["cool-darkness-123456/other", 1],
    ]);
  });

  it("that is none is refused in words", () => {
    expect(() => readPreview("no json", "The preview plan.json")).toThrow(
      new UserError("The preview plan.json is no JSON. Make it with `pulumi preview --json`."),
    );
    expect(() => readPreview('{"steps": 1}', "The preview plan.json")).toThrow(
      "does not look as this version expects it",
    );
  });
});

test("an exported state gives the password, and from then on nothing prints it", () => {
  const password = {
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    plaintext: JSON.stringify("a-password-of-bemi"),
  };
  const { resources } = readExport(
    JSON.stringify({
      deployment: { resources: [resource("ReplicationRole", {}, { outputs: { password } })] },
    }),
  );
  expect(resources[0]?.outputs).toEqual({ password: "a-password-of-bemi" });
  expect(redact("it is a-password-of-bemi")).toBe("it is [secret]");
});

describe("with a Pulumi CLI that prints a preview", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "neon-bemi-plan-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** Reports about a stack. The CLI is played by a script that prints the preview, and notes its arguments. */
  async function planned(preview: object, exitCode: number, strict = false) {
    const script = `#!${process.execPath}
      require("node:fs").appendFileSync("arguments", process.argv.slice(2).join(" ") + "\\n");
      if (process.argv[2] === "config") console.log('{"neon-bemi:apiKey":{"value":"napi_of_the_stack","secret":true}}');
      else { console.log(${JSON.stringify(JSON.stringify(preview))}); process.exitCode = ${exitCode}; }`;
    writeFileSync(path.join(folder, "pulumi"), script);
    chmodSync(path.join(folder, "pulumi"), 0o755);
    const keys: (string | undefined)[] = [];
    const { output, exitCode: code } = await plan(
      {
        source: { stack: "production", cwd: folder, environment: { PATH: folder } },
        format: "json",
        strict,
        report: { minWindowHours: 24, exceptions: [] },
      },
      ({ apiKey }) => {
        keys.push(apiKey);
        throw new UserError("There is no network in this test.");
      },
    );
    const asked = readFileSync(path.join(folder, "arguments"), "utf8").trim().split("\n");
    return { report: JSON.parse(output) as PlanReport, code, keys, asked };
  }

  it("uses the stack's provider, and exits with 1 for warnings if they count", async () => {
    const { report, code, keys, asked } = await planned(CREATE, 0, true);
    expect(report.trails).toMatchObject([
      {
        name: "orders",
        steps: [{ resource: "orders-Publication", text: "The publication bemi is created." }],
      },
    ]);
    expect(code).toBe(1);
    expect(keys).toEqual(["napi_of_the_stack"]);
    expect(asked).toEqual([
      "preview --json --non-interactive --color never --stack production",
      "config --json --show-secrets --non-interactive --color never --stack production",
    ]);
    expect(await planned(CREATE, 0)).toMatchObject({ code: 0 });
  });

  it("exits with 2 if the preview failed, and says why under the trail", async () => {
    const failed = {
      ...CREATE,
      diagnostics: [
        { urn: PUBLICATION.urn, message: "error: Preview failed: The key is wrong.\n", severity: "error" },
        { message: "error: preview failed\n", severity: "error" },
      ],
    };
    const { report, code } = await planned(failed, 255);
    expect(code).toBe(2);
    expect(report.failures).toEqual([]);
    expect(report.trails[0]?.findings[0]).toMatchObject({ code: "NB501", message: "The key is wrong." });
  });

  it("says what the CLI said when it printed no preview", async () => {
    writeFileSync(
      path.join(folder, "pulumi"),
      `#!/bin/sh\necho "error: no stack named 'x' found" >&2\nexit 255\n`,
    );
    chmodSync(path.join(folder, "pulumi"), 0o755);
    const source = { cwd: folder, environment: { PATH: `${folder}:/bin` } };
    await expect(
      plan({ source, format: "text", strict: false, report: { minWindowHours: 24, exceptions: [] } }, () => {
        throw new Error("not reached");
      }),
    ).rejects.toThrow("no stack named 'x' found");
  });

  it("reads the exceptions of the folder, and refuses a code or a reason that makes no sense", () => {
    expect(readExceptions(undefined, folder)).toEqual([]);
    const file = path.join(folder, "neon-bemi.exceptions.json");
    const exception = { code: "NB201", subject: "public.documents", reason: "Legal needs every version." };
    writeFileSync(file, JSON.stringify({ exceptions: [exception] }));
    expect(readExceptions(undefined, folder)).toEqual([exception]);
    writeFileSync(file, JSON.stringify({ exceptions: [{ code: "NB999", reason: " " }] }));
    expect(() => readExceptions(file)).toThrow(
      `The file of exceptions ${file} needs attention:\n  - exceptions.0.code is not a code of docs/plan.md\n  - exceptions.0.reason must say why the finding is accepted`,
    );
  });
});
