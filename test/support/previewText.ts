import { has } from "./features";

/** What `pulumi preview --diff` prints about one resource, or before all resources. */
interface Part {
  /** As printed, e.g. `~ neon-bemi:index:Publication: (update)`; empty for what is printed before all resources. */
  readonly header: string;
  /** The drift, as printed, by its name. */
  readonly drift: Map<string, string>;
  /** The lines that the provider has logged. */
  readonly lines: string[];
}

/** What a reader looks for in a preview. */
export interface Sight {
  /** Type of the resource, e.g. `Publication`. Left out: lines that are printed before all resources. */
  readonly kind?: string;
  /** Name of the drift. Left out: none. */
  readonly drift?: string;
  /** The lines beside it. Default: none. */
  readonly says?: RegExp;
}

/**
 * What `pulumi preview --diff` shows of a publication made by hand that is imported: nothing but its adoption. A publication
 * of the module's publishes generated columns too, where the server can.
 */
export const ADOPTION = has("generated columns in publications")
  ? /\(update\)\n.*\n.*\n +- publicationOptions: "publish_generated_columns = none"\n +- publicationOwner *: ".*"\nThe publication bemi is adopted; .*\nOptions of the publication bemi are set again: publish_generated_columns\.\nResources:\n +~ 1 to update\n +1 unchanged\n/
  : /\(update\)\n.*\n.*\n +- publicationOwner: ".*"\nThe publication bemi is adopted; .*\nResources:\n +~ 1 to update\n +1 unchanged\n/;

/** The part of the output that shows what was looked for, as docs show it: without ids, URNs and inputs. */
export function excerpt(output: string, sights: readonly Sight[]): string {
  const parts = partsOf(output);
  const seen = sights.flatMap(({ kind, drift, says }) => {
    const of = kind === undefined ? "" : `neon-bemi:index:${kind}:`;
    const found = parts.filter(({ header }) => (of === "" ? header === "" : header.includes(of)));
    return found.flatMap((part) => [
      ...(part.header === "" ? [] : [part.header]),
      ...(drift === undefined ? [] : [`  - ${drift}: ${part.drift.get(drift) ?? "(not found)"}`]),
      ...(says === undefined ? [] : part.lines.filter((line) => says.test(line))),
    ]);
  });
  return seen.join("\n");
}

function partsOf(output: string): Part[] {
  let part: Part = { header: "", drift: new Map(), lines: [] };
  const parts = [part];
  for (const line of output.split("\n")) {
    const [, header] = /^(?: {4})+([~+-]{1,2} +neon-bemi:index:\w+: \(\w+\))/.exec(line) ?? [];
    const [, name, value = ""] = /^ +- (\w+) *: (.*)$/.exec(line) ?? [];
    if (header !== undefined) {
      part = { header, drift: new Map(), lines: [] };
      parts.push(part);
    } else if (name !== undefined && part.header !== "") part.drift.set(name, value);
    else if (/^(?:Resources|Outputs|Diagnostics):/.test(line)) part = { ...part, lines: [] };
    else if (/^[A-Z1-9e]/.test(line) && !/^(?:Previewing|error: preview failed)/.test(line))
      part.lines.push(line);
  }
  return parts;
}

/** The lines that a command of the CLI prints about each resource at its end, in the order of the resources' names. */
export function diagnostics(output: string): string {
  const [, text = ""] = /^Diagnostics:\n([^]*?)\n(?:Outputs|Resources):/m.exec(output) ?? [];
  const blocks = text.split(/^(?= {2}\S)/m).map((block) => block.trimEnd());
  return blocks
    .filter((block) => !block.includes("pulumi:pulumi:Stack"))
    .sort()
    .map((block) => block.replaceAll(/^ {2}/gm, ""))
    .join("\n");
}
