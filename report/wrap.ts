/** Breaks a text into lines of at most `width` characters, at spaces. A longer word has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** The text with a label before its first line, and the other lines as far to the right. */
export function labelled(label: string, text: string, width: number): string[] {
  const [first = "", ...rest] = wrap(text, width - label.length);
  return [`${label}${first}`, ...rest.map((line) => `${" ".repeat(label.length)}${line}`)];
}
