import { PluginAttach } from "@pulumi/pulumi/proto/plugin_pb";
import * as pb from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { VERSION } from "../../provider/plugin/version";
import { UNKNOWN } from "../../provider/plugin/values";
import { version as packageVersion } from "../../package.json";
import { METHODS, fakeEngine, plain, provider, secretly, secretsOf, struct } from "./harness";
import { SHELF } from "./fakeKind";

const { DIFF_NONE, DIFF_SOME } = pb.DiffResponse.DiffChanges;

test("the version is that of package.json, in the schema and in the plugin's info", async () => {
  const { ask } = await provider();
  expect(VERSION).toBe(packageVersion);
  expect((await ask.call(METHODS.getPluginInfo, new Empty())).getVersion()).toBe(VERSION);
  const schema = (await ask.call(METHODS.getSchema, new pb.GetSchemaRequest())).getSchema();
  expect(JSON.parse(schema)).toMatchObject({ name: "neon-bemi", version: VERSION });
});

test("the handshake and the configuration accept secrets, resources and outputs as values", async () => {
  const { ask } = await provider();
  const handshake = await ask.call(METHODS.handshake, new pb.ProviderHandshakeRequest());
  expect(handshake.toObject()).toMatchObject({
    acceptSecrets: true,
    acceptResources: true,
    acceptOutputs: true,
  });
  const configured = await ask.call(METHODS.configure, new pb.ConfigureRequest().setArgs(struct({})));
  expect(configured.toObject()).toMatchObject({
    acceptsecrets: true,
    supportspreview: true,
    acceptresources: true,
    acceptoutputs: true,
  });
});

test("a provider that is attached to another engine logs there", async () => {
  const { ask, engine } = await provider();
  const debugger_ = await fakeEngine();
  await ask.call(METHODS.attach, new PluginAttach().setAddress(debugger_.address));
  await ask.create(SHELF, true);
  expect(engine.lines).toEqual([]);
  expect(debugger_.lines).toHaveLength(1);
});

describe("checking the provider's configuration", () => {
  test("makes the API key a secret, however it was set", async () => {
    const { ask } = await provider();
    for (const apiKey of ["key-of-neon", secretly("key-of-neon")]) {
      const answer = await ask.checkConfig({ apiKey, apiUrl: "https://neon.example" });
      expect(answer.getFailuresList()).toEqual([]);
      expect(plain(answer.getInputs())).toEqual({ apiKey: "key-of-neon", apiUrl: "https://neon.example" });
      expect(secretsOf(answer.getInputs())).toEqual(["apiKey"]);
    }
  });

  test("leaves out what a program keeps in the same namespace", async () => {
    const { ask } = await provider();
    const answer = await ask.checkConfig({ version: "0.1.0", projectId: "p-1", "tables[0]": "public.a" });
    expect(answer.getFailuresList()).toEqual([]);
    expect(plain(answer.getInputs())).toEqual({});
  });

  test("refuses a misspelt key and an address that is none, each in one sentence", async () => {
    const { ask } = await provider();
    const answer = await ask.checkConfig({ apikey: "x", apiUrl: "neon" });
    expect(answer.getFailuresList().map((failure) => failure.toObject())).toEqual([
      { property: "", reason: "apiUrl must be a URL" },
      { property: "", reason: "apikey is not an argument. Did you mean apiKey?" },
    ]);
  });

  test("lets a value pass that is not known yet", async () => {
    const { ask } = await provider();
    const answer = await ask.checkConfig({ apiUrl: UNKNOWN });
    expect(answer.getFailuresList()).toEqual([]);
    expect(plain(answer.getInputs())).toEqual({ apiUrl: UNKNOWN });
  });
});

test("another key is a change that replaces nothing, and another order of keys is none", async () => {
  const { ask } = await provider();
  const compare = (before: object, after: object): Promise<pb.DiffResponse> =>
    ask.call(
      METHODS.diffConfig,
      new pb.DiffRequest().setOlds(struct(before)).setOldInputs(struct(before)).setNews(struct(after)),
    );
  const same = await compare({ apiKey: secretly("a"), apiUrl: "u" }, { apiUrl: "u", apiKey: "a" });
  expect(same.getChanges()).toBe(DIFF_NONE);
  const other = await compare({ apiKey: "a" }, { apiKey: "b" });
  expect([other.getChanges(), other.getReplacesList()]).toEqual([DIFF_SOME, []]);
});

test("the configuration reaches the provider in plain values", async () => {
  const { ask, configured } = await provider();
  await ask.call(
    METHODS.configure,
    new pb.ConfigureRequest().setArgs(struct({ apiKey: secretly("key-of-neon") })),
  );
  expect(configured).toEqual([{ apiKey: "key-of-neon" }]);
});

test("there are no mappings from other providers", async () => {
  const { ask } = await provider();
  expect(
    (await ask.call(METHODS.getMapping, new pb.GetMappingRequest().setKey("terraform"))).getProvider(),
  ).toBe("");
  expect((await ask.call(METHODS.getMappings, new pb.GetMappingsRequest())).getProvidersList()).toEqual([]);
});

test("a method that the provider lacks is refused by name", async () => {
  const { ask } = await provider();
  await expect(ask.call(METHODS.invoke, new pb.InvokeRequest())).rejects.toMatchObject({
    details: "neon-bemi does not implement Invoke",
  });
});
