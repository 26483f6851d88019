import type { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { isDrift } from "../contract/drift";
import { printableValue } from "../contract/printable";
import { conceal } from "../contract/secrets";
import { decode, encode, textsIn, type Properties, type Values } from "./values";

/** A text this short is contained in many others by chance, so only an equal output counts as a repetition of it. */
const SHORT = 4;

/** Properties off the wire. From now on, what is secret in them is taken out of every message. */
export function receive(struct: Struct | undefined): Properties {
  const properties = decode(struct);
  properties.secretTexts.forEach(conceal);
  return properties;
}

/**
 * Puts a resource's outputs on the wire. What has drifted is for people to read, so it is made printable; the other
 * outputs are names and facts that the next run works with, and stay as they are. Secret are those that always are, those that have the name of a secret input,
 * and those that contain the text of one.
 *
 * @param always - names of the outputs that are secret whatever they are made of
 * @param origins - properties that the outputs may repeat
 */
export function send(outputs: Values, always: readonly string[], origins: readonly Properties[]): Struct {
  const texts = origins.flatMap(({ secretTexts }) => secretTexts);
  const repeating = Object.keys(outputs).filter((name) =>
    textsIn(outputs[name]).some((text) => texts.some((known) => repeats(text, known))),
  );
  const shown = Object.entries(outputs).map(([name, value]) => [
    name,
    isDrift(name) ? printableValue(value) : value,
  ]);
  return encode(
    Object.fromEntries(shown) as Values,
    new Set([...always, ...origins.flatMap(({ secrets }) => [...secrets]), ...repeating]),
  );
}

function repeats(text: string, known: string): boolean {
  if (known === "") return false;
  return text === known || (known.length >= SHORT && text.includes(known));
}
