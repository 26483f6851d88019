import { Interruption } from "../../tools/start/interruption";

describe("an interruption", () => {
  it("counts the first signal only, so that a second one does not end the clean-up", () => {
    const interruption = new Interruption();
    expect(interruption.exitCode).toBeUndefined();
    process.emit("SIGINT");
    process.emit("SIGTERM");
    expect(interruption.signal.aborted).toBe(true);
    expect(interruption.exitCode).toBe(130);
    interruption.release();
  });

  it("removes its signal handlers", () => {
    const before = process.listenerCount("SIGTERM");
    const interruption = new Interruption();
    expect(process.listenerCount("SIGTERM")).toBe(before + 1);
    interruption.release();
    expect(process.listenerCount("SIGTERM")).toBe(before);
  });
});
