import { Engine } from "../../provider/plugin/engine";
import { until } from "../support/until";
import { fakeEngine } from "./harness";

const URN = "urn:pulumi:dev::shop::neon-bemi:index:Publication::trail";
const STOPPED = "Stopped between two steps, because the run was cancelled. The next up continues from here.";

/** A plugin process's side of the connection, which notes when the process would end. */
function link(): { readonly engine: Engine; readonly exits: number[] } {
  const exits: number[] = [];
  return { engine: new Engine(() => exits.push(Date.now())), exits };
}

/** Work on a resource that goes on until it is told to go to its next checkpoint. */
function work(engine: Engine): { readonly done: Promise<void>; readonly proceed: () => void } {
  let proceed = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    proceed = resolve;
  });
  const done = engine.during(
    URN,
    () => false,
    async () => {
      await gate;
      engine.checkpoint();
    },
  );
  return { done, proceed };
}

/** Makes sure that the connection stands. */
async function greet(engine: Engine): Promise<void> {
  await engine.during(
    URN,
    () => false,
    () => {
      engine.log("hello");
      return Promise.resolve();
    },
  );
}

describe("when the engine is killed", () => {
  test("an idle process ends within a second", async () => {
    const [{ engine, exits }, { address, kill }] = [link(), await fakeEngine()];
    engine.connect(address);
    await greet(engine);
    expect(exits).toEqual([]);
    const killed = Date.now();
    kill();
    await until(() => exits.length > 0);
    expect((exits[0] ?? Infinity) - killed).toBeLessThan(1000);
  });

  test("a process that had nothing to say to it yet ends within a second too", async () => {
    const [{ engine, exits }, { address, kill }] = [link(), await fakeEngine()];
    engine.connect(address);
    const killed = Date.now();
    kill();
    await until(() => exits.length > 0);
    expect((exits[0] ?? Infinity) - killed).toBeLessThan(1000);
  });

  test("a working process goes on to its next checkpoint, and ends there", async () => {
    const [{ engine, exits }, { address, kill }] = [link(), await fakeEngine()];
    engine.connect(address);
    await greet(engine);
    const { done, proceed } = work(engine);
    kill();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(exits).toEqual([]);
    proceed();
    await expect(done).rejects.toThrow(STOPPED);
    expect(exits).toHaveLength(1);
  });

  test("log lines are dropped, and do not fail the work they are about", async () => {
    const [{ engine }, { address, kill }] = [link(), await fakeEngine()];
    engine.connect(address);
    await greet(engine);
    kill();
    await greet(engine);
  });
});

test("a process that is asked to end does so at once when idle, otherwise at the next checkpoint", async () => {
  const idle = link();
  idle.engine.end();
  expect(idle.exits).toHaveLength(1);

  const busy = link();
  const { done, proceed } = work(busy.engine);
  busy.engine.end();
  expect(busy.exits).toEqual([]);
  proceed();
  await expect(done).rejects.toThrow(STOPPED);
  expect(busy.exits).toHaveLength(1);
});

test("a cancelled run ends at its next checkpoint, and the process stays for the engine", () => {
  const { engine, exits } = link();
  engine.cancel();
  expect(() => {
    engine.checkpoint();
  }).toThrow(STOPPED);
  expect(exits).toEqual([]);
});

test("the work of a call that the engine has given up ends at its next checkpoint", async () => {
  const { engine } = link();
  const cancelled = engine.during(
    URN,
    () => true,
    () => {
      engine.checkpoint();
      return Promise.resolve();
    },
  );
  await expect(cancelled).rejects.toThrow(STOPPED);
  engine.checkpoint();
});

test("a connection to another engine takes over, and the old engine's end means nothing any more", async () => {
  const [{ engine, exits }, first, second] = [link(), await fakeEngine(), await fakeEngine()];
  engine.connect(first.address);
  await greet(engine);
  engine.connect(second.address);
  first.kill();
  await greet(engine);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect([first.lines.length, second.lines.length, exits]).toEqual([1, 1, []]);
});

test("lines of two resources that are worked on at the same time each stand under their own", async () => {
  const [{ engine }, { address, lines }] = [link(), await fakeEngine()];
  engine.connect(address);
  const say = (name: string): Promise<void> =>
    engine.during(
      `${URN}-${name}`,
      () => false,
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 10));
        engine.log(name);
      },
    );
  await Promise.all([say("a"), say("b")]);
  expect(lines.map(({ urn, message }) => [urn, message]).sort()).toEqual([
    [`${URN}-a`, "a"],
    [`${URN}-b`, "b"],
  ]);
});
