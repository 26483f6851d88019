import type { ServiceError } from "@grpc/grpc-js";
import { ErrorResourceInitFailed } from "@pulumi/pulumi/proto/provider_pb";
import * as pb from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { UserError } from "../../provider/contract/errors";
import type { Run } from "../../provider/contract/kind";
import type { AnyKind } from "../../provider/contract/kind";
import type { Session } from "../../provider/contract/session";
import { replicaIdentity, replicationRole } from "../../provider/postgres";
import { catalogState, differences } from "../support/catalogState";
import { testWith } from "../support/features";
import { testDatabase, type TestDatabase } from "../support/postgres";
import { TARGET, testRun, withSessions } from "../support/run";
import { CHANGES_IDENTITIES, watchedSession } from "../support/watchedSession";
import { METHODS, plain, provider, struct } from "./harness";

/*
 * A create that fails after its first write stays in the state, whatever the kind: the engine gets id and outputs with
 * the error. It then updates the resource with the next up, and deletes it on destroy.
 */

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase({ sql: "CREATE TABLE orders (id int); CREATE TABLE customers (id int)" });
});
afterAll(() => db.close());

/** The provider of one kind, over sessions that a test may disturb. */
class Disturbed {
  disturb: (session: Session) => Session = (session) => session;
  readonly #run = testRun(db);
  readonly #urn: string;
  readonly #ask;

  constructor(kind: unknown) {
    const { definition } = kind as AnyKind;
    this.#urn = `urn:pulumi:production::shop::neon-bemi:index:${definition.type}::orders`;
    const run: Run = withSessions(this.#run, (session) => this.disturb(session));
    this.#ask = provider({ kinds: [kind as AnyKind], run });
  }

  /** What the error of a create keeps for the state; `undefined` where it keeps nothing. */
  async create(inputs: object): Promise<{ id: string; state: object; message: string } | undefined> {
    const { ask } = await this.#ask;
    const request = new pb.CreateRequest().setUrn(this.#urn).setProperties(struct(inputs));
    const error = await ask.call(METHODS.create, request).then(
      () => {
        throw new Error("the create did not fail");
      },
      (reason: unknown) => reason as ServiceError,
    );
    const [details] = error.metadata.get("grpc-status-details-bin");
    if (details === undefined) return undefined;
    const [packed] = Status.deserializeBinary(details as Buffer).getDetailsList();
    const kept = packed?.unpack(
      (bytes) => ErrorResourceInitFailed.deserializeBinary(bytes),
      "pulumirpc.ErrorResourceInitFailed",
    );
    return { id: kept?.getId() ?? "", state: plain(kept?.getProperties()), message: error.details };
  }

  async update(id: string, state: object, inputs: object): Promise<object> {
    const { ask } = await this.#ask;
    const request = new pb.UpdateRequest()
      .setUrn(this.#urn)
      .setId(id)
      .setOlds(struct(state))
      .setOldInputs(struct(inputs))
      .setNews(struct(inputs));
    return plain((await ask.call(METHODS.update, request)).getProperties());
  }

  async delete(id: string, state: object): Promise<void> {
    const { ask } = await this.#ask;
    const request = new pb.DeleteRequest().setUrn(this.#urn).setId(id).setProperties(struct(state));
    await ask.call(METHODS.delete, request);
    await this.#run.end();
  }
}

const IDENTITIES = {
  ...TARGET,
  schemas: ["public"],
  publication: "bemi",
  trackNewTables: true,
  managedBy: "shop/production/orders",
};

test("replica identities that fail in their last step are in the state, and destroy restores them", async () => {
  const before = await catalogState(db, "neondb");
  const identities = new Disturbed(replicaIdentity);
  identities.disturb = (session) =>
    watchedSession(session, async (statement, send) => {
      const rows = await send();
      if (CHANGES_IDENTITIES.test(statement)) throw new UserError("The last step failed.");
      return rows;
    });
  const kept = await identities.create(IDENTITIES);
  expect(kept).toMatchObject({
    message: "The last step failed.",
    state: { unfinished: "The last step failed.", wanted: 2, done: 2, databaseName: "neondb" },
  });
  expect(differences(before, await catalogState(db, "neondb"))).not.toEqual([]);
  identities.disturb = (session) => session;
  await identities.delete(kept?.id ?? "", kept?.state ?? {});
  expect(differences(before, await catalogState(db, "neondb"))).toEqual([]);
});

test("a create that fails before its first write is in no state", async () => {
  const identities = new Disturbed(replicaIdentity);
  expect(await identities.create({ ...IDENTITIES, schemas: ["nothing"] })).toBeUndefined();
});

testWith("owner that makes Bemi's role in SQL")(
  "a create whose writes were rolled back, or refused, is in no state",
  async () => {
    const role = new Disturbed(replicationRole);
    role.disturb = (session) =>
      watchedSession(session, (statement, send) => {
        if (statement === "COMMIT") throw new UserError("The connection broke.");
        return send();
      });
    expect(
      await role.create({ ...TARGET, name: "bemi", adopt: false, managedBy: "shop/production/role" }),
    ).toBe(undefined);
  },
);

testWith("owner that makes Bemi's role in SQL")(
  "a role whose first login fails is in the state; the next up finishes it, destroy drops it",
  async () => {
    const before = await catalogState(db, "neondb");
    const inputs = { ...TARGET, name: "bemi", adopt: false, managedBy: "shop/production/role" };
    const role = new Disturbed(replicationRole);
    role.disturb = (session) => ({
      ...watchedSession(session, (_, send) => send()),
      address: { ...session.address, port: 1 },
    });
    const kept = await role.create(inputs);
    expect(kept?.state).toMatchObject({ username: "bemi", created: true });
    role.disturb = (session) => session;
    const made = await role.update(kept?.id ?? "", kept?.state ?? {}, inputs);
    expect(made).toMatchObject({ created: true, port: Number(new URL(db.ownerUri).port) });
    expect((made as { password: string }).password).not.toBe("");
    await role.delete(kept?.id ?? "", made);
    expect(differences(before, await catalogState(db, "neondb"))).toEqual([]);
  },
);
