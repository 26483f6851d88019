import { createServer, type AddressInfo } from "node:net";
import { EngineWatch } from "../../provider/plugin/engineWatch";

/** Calls until it throws, and returns the message. Only the time limit of the test ends the wait otherwise. */
async function thrownBy(call: () => void): Promise<string> {
  for (;;) {
    try {
      call();
    } catch (error) {
      return (error as Error).message;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("lets work go on while the engine listens, and stops it when the engine is gone", async () => {
  const engine = createServer((socket) => socket.end()).listen(0, "127.0.0.1");
  await new Promise((resolve) => engine.once("listening", resolve));
  const looked = new Promise((resolve) => engine.once("connection", resolve));
  const watch = new EngineWatch(`127.0.0.1:${(engine.address() as AddressInfo).port}`);
  watch.start();
  try {
    await looked;
    watch.checkpoint();
    await new Promise((resolve) => engine.close(resolve));
    expect(
      await thrownBy(() => {
        watch.checkpoint();
      }),
    ).toMatch(/the Pulumi engine is gone; the next up goes on from here/);
  } finally {
    watch.stop();
  }
});

test("never stops work without an engine's address", () => {
  for (const address of [undefined, "no-engine"]) {
    const watch = new EngineWatch(address);
    watch.start();
    watch.checkpoint();
  }
});
