import type { AnyKind } from "../../../provider/contract/kind";
import type { Values } from "../../../provider/plugin/values";

/** A resource in the state. */
export interface Base {
  readonly kind: AnyKind;
  readonly urn: string;
  readonly id: string;
  readonly inputs: Values;
  /** They repeat the inputs. */
  readonly outputs: Values;
}

/** A state after its edit. */
export interface Edited {
  readonly state: Base;
  /** What was edited, for people. */
  readonly what: readonly string[];
}

/** Answers with a whole number from 0 up to, and without, its argument. The same seed gives the same numbers. */
export type Random = (below: number) => number;

/** Mulberry32. */
export function random(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const TYPES: readonly unknown[] = [
  "",
  "x".repeat(3_000),
  0,
  -1,
  1.5,
  true,
  [],
  ["a"],
  {},
  { a: 1 },
  [[{}]],
  "\u0000",
];

/** Names of other people's objects, databases and branches in the world, by field. */
const FOREIGN: Readonly<Record<string, readonly unknown[]>> = {
  name: ["app", "theirs", "foreign", "neondb_owner", "bemi_b"],
  role: ["app", "neondb_owner"],
  publication: ["theirs"],
  database: ["postgres", "template1", "nowhere"],
  databaseName: ["postgres", "nowhere"],
  databaseOid: [1, 4, 999_999],
  branch: ["dev", "nowhere", "br-dev", "br-main"],
  branchId: ["br-dev", "br-nowhere"],
  branchName: ["dev", "nowhere"],
  endpointId: ["ep-dev", "ep-nowhere"],
  projectId: ["hidden-project-1", ""],
  owner: ["app", "nobody"],
  username: ["app"],
  added: [["198.51.100.0/24"], ["0.0.0.0/0"], ["203.0.113.7", "198.51.100.0/24"]],
  created: [true, false],
  generation: [7, "many"],
};

/** One to three edits of the outputs; in one case of seven of the inputs as well, as by hand in a state file. */
export function editedState(base: Base, all: readonly Base[], next: Random): Edited {
  const of = <Value>(values: readonly Value[]): Value => values[next(values.length)] as Value;
  const what: string[] = [];
  let inputs = { ...base.inputs };
  let outputs = { ...base.outputs };
  if (next(20) === 0) {
    const other = of(all.filter(({ kind }) => kind === base.kind));
    outputs = { ...other.outputs };
    what.push(`outputs of ${other.urn}`);
  }
  for (let edits = 1 + next(3); edits > 0; edits--) {
    const key = of([...Object.keys(base.outputs), ...Object.keys(FOREIGN)]);
    const others = all.flatMap((other) => (key in other.outputs ? [other.outputs[key]] : []));
    const [how, value] = of<readonly [string, unknown]>([
      ["dropped", undefined],
      ["retyped", of(TYPES)],
      ["swapped", others.length === 0 ? undefined : of(others)],
      ["foreign", key in FOREIGN ? of(FOREIGN[key] ?? []) : undefined],
    ]);
    what.push(`${key} ${how} ${JSON.stringify([value]).slice(0, 60)}`);
    const edited = (values: Values): Values => {
      const rest = Object.entries(values).filter(([name]) => name !== key);
      return Object.fromEntries(value === undefined ? rest : [...rest, [key, value]]);
    };
    outputs = edited(outputs);
    // The entries of another resource, inputs and outputs alike, are a valid state of that resource.
    if (next(7) === 0 && key in inputs && key !== "branch" && key !== "ips") {
      inputs = edited(inputs);
      what.push("inputs too");
    }
  }
  return { state: { ...base, inputs, outputs }, what };
}
