import type * as z from "zod";
import { defaultOf, docOf, isOptional } from "../../provider/contract/schema";

/** Where Prettier breaks lines of code; it leaves comments as they are. */
const WIDTH = 110;

/** The paragraphs of a text, each on one line. */
export function paragraphs(text: string): string[] {
  return text.split(/\n\s*\n/).map((paragraph) => paragraph.replaceAll(/\s+/g, " ").trim());
}

/** A doc comment, wrapped; on one line where it fits. */
export function docComment(text: string, indent = ""): string {
  const one = `${indent}/** ${text} */`;
  const parts = paragraphs(text);
  if (parts.length === 1 && one.length <= WIDTH) return one;
  const lines = parts.flatMap((part, index) => [
    ...(index === 0 ? [] : [""]),
    ...wrap(part, WIDTH - indent.length - 3),
  ]);
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`].join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** What the field means; every field has a text. */
export function meaning(name: string, field: z.ZodType): string {
  const { description, secret } = docOf(field);
  if (description === undefined) throw new Error(`Field ${name} has no description in the contract.`);
  return secret === true ? `Secret. ${description}` : description;
}

/** What it means to leave the field out, in Markdown; `undefined` for a field that is required. */
export function defaultText(name: string, field: z.ZodType): string | undefined {
  if (!isOptional(field)) return undefined;
  const { whenOmitted } = docOf(field);
  if (whenOmitted !== undefined) return whenOmitted;
  const value = defaultOf(field);
  if (value === undefined)
    throw new Error(`Field ${name} has neither default nor whenOmitted in the contract.`);
  return Array.isArray(value) && value.length === 0 ? "none" : `\`${JSON.stringify(value)}\``;
}

/** `A, B and C` */
export function enumeration(items: readonly string[]): string {
  return [items.slice(0, -1).join(", "), items.at(-1)].filter(Boolean).join(" and ");
}
