import { createServer, type AddressInfo } from "node:net";
import { EngineWatch } from "../../provider/plugin/engineWatch";

/** Calls until it throws; the test's own limit ends the wait. */
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

test("work goes on while the engine listens, and stops between two steps when it is gone", async () => {
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

test("without an engine's address there is nothing to watch", () => {
  for (const address of [undefined, "no-engine"]) {
    const watch = new EngineWatch(address);
    watch.start();
    watch.checkpoint();
  }
});
