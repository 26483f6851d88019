import type { Clock } from "../../provider/neon/clock";

/** A clock that stands still but for sleeping, which takes no time: minutes of patience pass at once. */
export function virtualClock(): Clock & { elapsed(): number } {
  let now = Date.now();
  const begin = now;
  return {
    now: () => now,
    sleep: async (milliseconds) => {
      now += milliseconds;
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    },
    elapsed: () => now - begin,
  };
}

/** A clock that runs faster than the real one, for work of which a part happens elsewhere. */
export function fastClock(factor: number): Clock {
  const begin = Date.now();
  return {
    now: () => begin + (Date.now() - begin) * factor,
    sleep: (milliseconds) =>
      new Promise((resolve) => {
        setTimeout(resolve, milliseconds / factor);
      }),
  };
}
