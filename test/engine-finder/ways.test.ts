import { UserError } from "../../provider/contract/errors";
import { type Engine, Unavailable } from "../../tools/engine/engine";
import { firstEngine, type Way } from "../../tools/engine/ways";

const engine: Engine = { command: "/a/bin/pulumi", root: "/a", version: "3.246.0", origin: "path", env: {} };

function closed(name: string, reason: string): Way {
  return { name, find: () => Promise.reject(new Unavailable(reason)) };
}

describe("the order of ways", () => {
  it("takes the first that is open and does not touch the others", async () => {
    const later = jest.fn<Promise<Engine>, []>();
    const open = { name: "open", find: () => Promise.resolve(engine) };
    await expect(firstEngine([closed("PATH", "none"), open, { name: "later", find: later }])).resolves.toBe(
      engine,
    );
    expect(later).not.toHaveBeenCalled();
  });

  it("names every way and why it is not open", async () => {
    const ways = [
      closed("`pulumi` on PATH", "too old"),
      closed("the installer", "no network"),
      closed("Go", "missing"),
    ];
    const error = await firstEngine(ways).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toContain(
      "- `pulumi` on PATH: too old\n- the installer: no network\n- Go: missing\n",
    );
  });

  it("does not take a bug for a closed way", async () => {
    const broken = { name: "broken", find: () => Promise.reject(new TypeError("bug")) };
    const open = { name: "open", find: () => Promise.resolve(engine) };
    await expect(firstEngine([broken, open])).rejects.toThrow("bug");
  });
});
