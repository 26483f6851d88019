import { UserError } from "../../provider/contract/errors";
import { type PulumiCli, Unavailable } from "../../tools/pulumiCli/pulumiCli";
import { firstOpenWay, type Way } from "../../tools/pulumiCli/ways";

const cli: PulumiCli = { command: "/a/bin/pulumi", root: "/a", version: "3.246.0", origin: "path", env: {} };

function closed(name: string, reason: string): Way {
  return { name, get: () => Promise.reject(new Unavailable(reason)) };
}

describe("firstOpenWay", () => {
  it("takes the first open way and does not try the others", async () => {
    const later = jest.fn<Promise<PulumiCli>, []>();
    const open = { name: "open", get: () => Promise.resolve(cli) };
    await expect(firstOpenWay([closed("PATH", "none"), open, { name: "later", get: later }])).resolves.toBe(
      cli,
    );
    expect(later).not.toHaveBeenCalled();
  });

  it("names every way and the reason why it is not open", async () => {
    const ways = [
      closed("`pulumi` on PATH", "too old"),
      closed("the installer", "no network"),
      closed("Go", "missing"),
    ];
    const error = await firstOpenWay(ways).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toContain(
      "- `pulumi` on PATH: too old\n- the installer: no network\n- Go: missing\n",
    );
  });

  it("throws a bug instead of trying the next way", async () => {
    const broken = { name: "broken", get: () => Promise.reject(new TypeError("bug")) };
    const open = { name: "open", get: () => Promise.resolve(cli) };
    await expect(firstOpenWay([broken, open])).rejects.toThrow("bug");
  });
});
