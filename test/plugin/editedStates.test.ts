import { UserError } from "../../provider/contract/errors";
import type { AnyKind, Run } from "../../provider/contract/kind";
import { Resource, type State } from "../../provider/plugin/resource";
import type { Values } from "../../provider/plugin/values";
import { editedState, random, type Base } from "./editedStates/edits";
import { startWorld, type World } from "./editedStates/world";

/*
 * States that were edited, moved between resources or written by another release: fields are dropped, get another type,
 * or the value that they have in another resource. Real handlers delete, read and update them, on a real database with
 * two trails and other people's objects in it, and on a Neon API that only notes what is asked of it. No write is carried
 * out: the first one ends the case, and must concern the resource's own object.
 */

const CASES = 5_000;
const SEED = 20_261_126;

let world: World;
beforeAll(async () => {
  world = await startWorld();
}, 60_000);
afterAll(() => world.close());

/** What a handler was given, and how the work ended. */
interface Outcome {
  readonly seen: Values | undefined;
  readonly error: unknown;
}

/** Does one thing with an edited state. */
async function perform(base: Base, sent: Base, verb: "delete" | "read" | "update"): Promise<Outcome> {
  let seen: Values | undefined;
  const spied: AnyKind = {
    ...base.kind,
    delete: (state: Values, run: Run) => {
      seen = state;
      return base.kind.delete(state, run);
    },
  };
  const { urn, id, inputs, outputs: state } = sent;
  const resource = new Resource(spied, world.run);
  const work: Promise<State | undefined> =
    verb === "delete"
      ? resource.delete({ urn, id, state, inputs }).then(() => undefined)
      : verb === "read"
        ? resource.refresh({ urn, id, state, inputs })
        : resource.update({ urn, id, state, inputs }, base.inputs);
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { seen, error };
}

/** What is wrong with the outcome of a delete; `undefined`: nothing. */
function wrongDelete(base: Base, { seen }: Outcome): string | undefined {
  const { written } = world;
  if (written === undefined || seen === undefined) return undefined;
  const { definition } = base.kind;
  if (definition.type === "IpAllow") {
    const others = (written.removed ?? []).filter(
      (entry) => !(base.outputs["added"] as string[]).includes(entry),
    );
    return others.length === 0 ? undefined : `removes ${others.join(", ")}`;
  }
  if (written.role !== undefined)
    return written.role === base.inputs["name"] ? undefined : `deletes role ${written.role}`;
  if (written.branch !== undefined)
    return written.branch === base.outputs["branchId"] ? undefined : `deletes branch ${written.branch}`;
  const other = definition.replaceOn
    .filter((key) => key !== "branch" && key !== "database")
    .find((key) => JSON.stringify(seen[key]) !== JSON.stringify(base.inputs[key]));
  if (other !== undefined) return `acts on another ${other}`;
  if (seen["ownershipId"] !== undefined && seen["ownershipId"] !== base.outputs["ownershipId"])
    return "acts in spite of another ownershipId";
  // A role belongs to the branch, and is dropped from another database where its own is gone.
  if (definition.type === "ReplicationRole") return undefined;
  if (written.database !== base.inputs["database"]) return `acts in database ${written.database ?? "?"}`;
  if (seen["databaseOid"] !== undefined && seen["databaseOid"] !== base.outputs["databaseOid"])
    return "acts in spite of another databaseOid";
  // Another branchId under the branch's name is what a restore leaves: the object is the same one.
  return undefined;
}

test(`${CASES} edited states: no handler acts on another object, and every error says what to do`, async () => {
  const next = random(SEED);
  const counts = { refused: 0, written: 0, quiet: 0 };
  const wrong: string[] = [];
  for (let n = 0; n < CASES; n++) {
    const base = world.bases[next(world.bases.length)];
    if (base === undefined) throw new Error("there are no resources");
    const edit = editedState(base, world.bases, next);
    const verb = (["delete", "delete", "delete", "read", "update"] as const)[next(5)] ?? "delete";
    world.forget();
    const outcome = await perform(base, edit.state, verb);
    const { error } = outcome;
    const say = (what: string) => wrong.push(`${n} ${verb} ${base.urn} [${edit.what.join(", ")}]: ${what}`);
    if (world.written !== undefined) {
      counts.written++;
      const fault =
        verb === "delete" ? wrongDelete(base, outcome) : verb === "read" ? "a read writes" : undefined;
      if (fault !== undefined) say(fault);
    } else if (error === undefined) counts.quiet++;
    else {
      counts.refused++;
      if (!(error instanceof UserError))
        say(error instanceof Error ? (error.stack ?? error.message) : "no error");
    }
  }
  process.stderr.write(
    `${CASES} edited states: ${counts.refused} refused, ${counts.written} reached a write, ${counts.quiet} did nothing\n`,
  );
  expect(wrong.slice(0, 20)).toEqual([]);
  // The states are not all refused: handlers were reached, and stopped in time.
  expect(counts.written).toBeGreaterThan(CASES / 50);
}, 60_000);
