import type { Clock } from "../../provider/contract/clock";

/** A clock that only moves when somebody sleeps. Sleeping takes no real time, so minutes of waiting pass at once. */
export function virtualClock(): Clock & { elapsed(): number; sleeps(): readonly number[] } {
  let now = Date.now();
  const begin = now;
  const sleeps: number[] = [];
  return {
    now: () => now,
    sleep: async (milliseconds) => {
      sleeps.push(milliseconds);
      now += milliseconds;
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    },
    elapsed: () => now - begin,
    sleeps: () => sleeps,
  };
}

/**
 * A clock on which a sleep is `factor` times shorter in real time. All other work counts with its real time, so a slow
 * machine does not use up the deadlines.
 */
export function fastClock(factor: number): Clock {
  let skipped = 0;
  return {
    now: () => Date.now() + skipped,
    sleep: (milliseconds) =>
      new Promise((resolve) => {
        const wait = milliseconds / factor;
        setTimeout(() => {
          skipped += milliseconds - wait;
          resolve();
        }, wait);
      }),
  };
}
