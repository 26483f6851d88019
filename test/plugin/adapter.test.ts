import { z } from "zod";
import { adapt, silenceHost, type Host, type Values } from "../../provider/plugin/adapter";
import { UnfinishedError, UserError } from "../../provider/contract/errors";
import type { Kind, Run } from "../../provider/contract/kind";
import { secret } from "../../provider/contract/secrets";

interface Inputs {
  projectId: string;
  branch?: string;
  name: string;
  size?: number;
}
interface Outputs {
  branchId: string;
  branchName: string;
  branchIsDefault: boolean;
  note?: string;
}

const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const PROVIDER = "exports.handler = ...";
const found = { branchId: "br-a-b-c", branchName: "main", branchIsDefault: true };

function kind(overrides: Partial<Kind<Inputs, Outputs>> = {}): Kind<Inputs, Outputs> {
  return {
    name: "thing",
    inputs: z.strictObject({
      projectId: z.string(),
      branch: z.string().optional(),
      name: z.string().trim().min(1, "must not be empty"),
      size: z.number("must be a number").optional(),
    }),
    replaceOn: ["projectId", "branch", "name"],
    id: (inputs) => `${inputs.projectId}/${inputs.name}`,
    create: () => Promise.resolve({ ...found, note: undefined }),
    read: () => Promise.resolve({ outputs: found }),
    update: () => Promise.resolve(found),
    delete: () => Promise.resolve(),
    ...overrides,
  };
}

const host: Host = { run: {} as Run, configure: () => undefined };
const inputs: Values = { projectId: "p", name: "bemi", __provider: PROVIDER };

describe("check", () => {
  const { check } = adapt(kind(), host);

  test("returns canonical inputs with the provider reference", () => {
    expect(check({}, { ...inputs, name: " bemi " })).toEqual({ inputs, failures: [] });
  });

  test("says what is wrong with each input", () => {
    expect(check({}, { ...inputs, name: "", size: "big" }).failures).toEqual([
      { property: "name", reason: "name: must not be empty" },
      { property: "size", reason: "size: must be a number" },
    ]);
  });

  test("accepts values that a preview does not know yet, and no other wrong value", () => {
    expect(check({}, { ...inputs, size: UNKNOWN }).failures).toEqual([]);
    expect(check({}, { ...inputs, size: UNKNOWN, name: "" }).failures).toHaveLength(1);
  });
});

describe("diff", () => {
  const { diff } = adapt(kind(), host);
  const state = { ...inputs, ...found, branch: "main" };

  test("replaces nothing when the same branch is named in another way", () => {
    for (const branch of ["main", "br-a-b-c", undefined]) {
      expect(diff("id", state, { ...inputs, branch }).replaces).toEqual([]);
    }
  });

  test("replaces for another branch, project or name", () => {
    expect(diff("id", state, { ...inputs, branch: "dev" }).replaces).toEqual(["branch"]);
    expect(diff("id", state, { ...inputs, projectId: "q", branch: "main" }).replaces).toEqual(["projectId"]);
    expect(diff("id", state, { ...inputs, branch: "main", name: "x" }).replaces).toEqual(["name"]);
  });

  test("announces a replacement for a name that a preview does not know yet", () => {
    expect(diff("id", state, { ...inputs, branch: "main", name: UNKNOWN }).replaces).toEqual(["name"]);
  });
});

describe("outputs", () => {
  test("hold inputs, outputs and the provider reference after a create, and nothing undefined", async () => {
    const created = await adapt(kind(), host).create(inputs);
    expect(created).toEqual({ id: "p/bemi", outs: { ...inputs, ...found } });
    expect(created.outs).not.toHaveProperty("note");
  });

  test("show drift in the inputs that a read returns", async () => {
    const drifted = kind({
      read: () => Promise.resolve({ outputs: found, drift: { "identity not full": ["public.orders"] } }),
    });
    const read = await adapt(drifted, host).read("id", { ...inputs, ...found, drift: { old: true } });
    expect(read.inputs).toEqual({ ...inputs, drift: { "identity not full": ["public.orders"] } });
    expect(read.props).toEqual({ ...inputs, ...found });
  });

  test("are empty when a read finds the object gone", async () => {
    const gone = kind({ read: () => Promise.resolve(undefined) });
    expect(await adapt(gone, host).read("id", inputs)).toEqual({});
  });
});

describe("errors", () => {
  const failing = (error: Error) =>
    adapt(kind({ delete: () => Promise.reject(error) }), host).delete("id", inputs);

  test("keep the text of a UserError, without secrets", async () => {
    const password = secret("Sup3r/Secret");
    const error = new UserError(`login with ${password} or ${encodeURIComponent(password)} failed`);
    await expect(failing(error)).rejects.toThrow("login with [secret] or [secret] failed");
  });

  test("of a bug say that it is one, and where", async () => {
    await expect(failing(new TypeError("x is undefined"))).rejects.toThrow(
      /^Unexpected error in pulumi-neon-bemi, please report it: TypeError: x is undefined\n\s+at /,
    );
  });

  test("of unfinished work keep the resource in the state, with the outputs so far", async () => {
    const unfinished = kind({ create: () => Promise.reject(new UnfinishedError("operation failed", found)) });
    await expect(adapt(unfinished, host).create(inputs)).rejects.toMatchObject({
      message: "operation failed",
      id: "p/bemi",
      properties: { ...inputs, ...found },
      reasons: ["operation failed"],
    });
  });

  test("are not printed by the host as well", async () => {
    const printed: unknown[] = [];
    const console = { error: (...parts: unknown[]) => printed.push(parts) };
    silenceHost(console);
    await failing(new UserError("no such role")).catch((e: unknown) => {
      const error = e as Error;
      // As @pulumi/pulumi's dynamic-provider prints it.
      console.error(`${error.toString()}: ${error.stack ?? ""}`);
    });
    console.error("something else");
    expect(printed).toEqual([["something else"]]);
  });
});
