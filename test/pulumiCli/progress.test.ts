import { withProgress } from "../../tools/pulumiCli/progress";

const { isTTY, columns } = process.stderr;

afterEach(() => {
  Object.assign(process.stderr, { isTTY, columns });
  jest.restoreAllMocks();
});

describe("withProgress", () => {
  it.each([
    ["without a terminal", { isTTY: false, columns: undefined }],
    ["on a terminal of unknown width, where a spinner would loop forever", { isTTY: true, columns: 0 }],
  ])("prints plain lines on stderr %s", async (_, terminal) => {
    Object.assign(process.stderr, terminal);
    const written: string[] = [];
    jest.spyOn(process.stderr, "write").mockImplementation((text) => written.push(String(text)) > 0);
    const work = (progress: (line: string) => void) => {
      progress("first");
      progress("second");
      return Promise.resolve("done");
    };
    await expect(withProgress(work)).resolves.toBe("done");
    expect(written).toEqual(["first\n", "second\n"]);
  });
});
