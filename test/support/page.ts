import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { SandboxInfo } from "../../sandbox/sandbox";
import { PROJECT } from "../../tools/pulumiCli";

/** With this variable, {@link Page.expect} writes what it compares into the page. */
const WRITES = process.env["WRITE_DOCS"] === "1";

/** One block of output on a page of docs/: a comment with its name, and the fenced text after it. */
const BLOCK = /<!-- output: (.+?) -->\n\n```text\n([^]*?)\n```/g;

/** A page of docs/ whose blocks of output a test has produced: they must be what is printed today. */
export class Page {
  readonly #file: string;

  /** @param name name of the file in docs/ */
  constructor(readonly name: string) {
    this.#file = path.join(PROJECT, "docs", name);
  }

  /** The names of all blocks, in their order. */
  get names(): string[] {
    return [...this.#text.matchAll(BLOCK)].map(([, name = ""]) => name);
  }

  /**
   * Expects the block to hold the text. Run the test with `WRITE_DOCS=1` to write the text into the page, and look at the
   * difference.
   */
  expect(name: string, text: string): void {
    if (WRITES)
      writeFileSync(
        this.#file,
        this.#text.replace(BLOCK, (block, found: string) =>
          found === name ? `<!-- output: ${name} -->\n\n\`\`\`text\n${text}\n\`\`\`` : block,
        ),
      );
    const blocks = [...this.#text.matchAll(BLOCK)].map(([, found = "", held = ""]) => [found, held] as const);
    expect(Object.fromEntries(blocks.filter(([found]) => found === name))).toEqual({ [name]: text });
  }

  get #text(): string {
    return readFileSync(this.#file, "utf8");
  }
}

/** Output for a page: with the ids of the docs' example instead of the sandbox's. */
export function withExampleIds(output: string, { projectId, branchId }: SandboxInfo): string {
  return output.replaceAll(projectId, "cool-darkness-123456").replaceAll(branchId, "br-cool-sea-123456");
}
