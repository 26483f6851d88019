import { parseOptions } from "../../tools/start/options";

describe("the command line of npm start", () => {
  it("has defaults and accepts both options", () => {
    expect(parseOptions([])).toEqual({ keep: false, postgres: 17 });
    expect(parseOptions(["--keep", "--postgres", "16"])).toEqual({ keep: true, postgres: 16 });
    expect(parseOptions(["--postgres=18"])).toEqual({ keep: false, postgres: 18 });
  });

  it.each([
    [["--postgres", "13"], /--postgres 13 .* 14, 15, 16, 17, 18/],
    [["--postgres"], /--postgres/],
    [["--kep"], /--kep/],
    [["production"], /production/],
  ])("refuses %j and prints the usage", (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
    expect(() => parseOptions(args)).toThrow(/Usage: npm start/);
  });
});
