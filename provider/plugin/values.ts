import { Struct } from "google-protobuf/google/protobuf/struct_pb";

/** Properties of a resource as plain JSON values. */
export type Values = Record<string, unknown>;

// The marks of Pulumi's protocol, as in @pulumi/pulumi/runtime/rpc. They are written out here because that module loads
// the whole SDK, which takes longer than everything else a plugin process does to start.
/** Stands for a value that is not known yet in a preview. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4";

/** Properties as they came over the wire. */
export interface Properties {
  readonly values: Values;
  /** Names of the top-level properties that are secret, or hold a secret anywhere within. */
  readonly secrets: ReadonlySet<string>;
  /** The secret texts themselves. */
  readonly secretTexts: readonly string[];
}

/** Takes secrets and outputs out of their envelopes. What the program left undefined arrives as null, and is dropped. */
export function decode(struct: Struct | undefined): Properties {
  const secrets = new Set<string>();
  const secretTexts: string[] = [];
  const values: Values = {};
  for (const [key, value] of Object.entries((struct?.toJavaScript() ?? {}) as Values)) {
    const plain = unwrap(value, (secret) => {
      secrets.add(key);
      secretTexts.push(...textsIn(secret));
    });
    if (plain !== null && plain !== undefined) values[key] = plain;
  }
  return { values, secrets, secretTexts };
}

/** Puts properties on the wire, with an envelope around the secret ones. Values that are undefined are left out. */
export function encode(values: object, secrets: ReadonlySet<string> = new Set()): Struct {
  const plain = JSON.parse(JSON.stringify(values)) as Values;
  for (const key of secrets) {
    if (plain[key] !== undefined) plain[key] = { [SIGNATURE]: SECRET, value: plain[key] };
  }
  return Struct.fromJavaScript(plain as Parameters<typeof Struct.fromJavaScript>[0]);
}

/** All texts in a value, at any depth, that are known. */
export function textsIn(value: unknown): string[] {
  if (typeof value === "string") return value === UNKNOWN ? [] : [value];
  return isContainer(value) ? Object.values(value).flatMap(textsIn) : [];
}

/** Whether the value itself is not known yet. */
export function isUnknown(value: unknown): boolean {
  return value === UNKNOWN;
}

/** Whether anything in the value is not known yet. */
export function hasUnknown(value: unknown): boolean {
  return isUnknown(value) || (isContainer(value) && Object.values(value).some(hasUnknown));
}

export type Change = "add" | "delete" | "update";

/** The property paths at which two values differ, in Pulumi's notation: `role.name`, `tables[2]`. */
export function* differences(
  before: unknown,
  after: unknown,
  path = "",
): Generator<readonly [path: string, change: Change]> {
  if (JSON.stringify(before) === JSON.stringify(after)) return;
  if (before === undefined) yield [path, "add"];
  else if (after === undefined) yield [path, "delete"];
  else if (isContainer(before) && isContainer(after) && Array.isArray(before) === Array.isArray(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const step = Array.isArray(before) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
      yield* differences(before[key], after[key], step);
    }
  } else yield [path, "update"];
}

/** The first part of a property path: the name of the top-level property. */
export function rootOf(path: string): string {
  return path.split(/[.[]/, 1)[0] ?? path;
}

/** @param onSecret - is told the plain value of everything that is secret */
function unwrap(value: unknown, onSecret: (secret: unknown) => void): unknown {
  if (Array.isArray(value)) return value.map((each) => unwrap(each, onSecret));
  if (!isContainer(value)) return value;
  const signature = value[SIGNATURE];
  if (signature !== SECRET && signature !== OUTPUT)
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, unwrap(each, onSecret)]));
  const plain = "value" in value ? unwrap(value["value"], onSecret) : UNKNOWN;
  if (signature === SECRET || value["secret"] === true) onSecret(plain);
  return plain;
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
