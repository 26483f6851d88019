import { setTimeout as delay } from "node:timers/promises";

/** Time as handlers see it. Tests pass another clock, so that they need not wait for minutes. */
export interface Clock {
  /** The current time, in milliseconds since 1970. It never jumps, so that deadlines hold when the machine's time is set. */
  now(): number;
  /** Waits for so many milliseconds. */
  sleep(milliseconds: number): Promise<void>;
}

/** The machine's monotonic clock, counted from the time at which this process began. */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  sleep: async (milliseconds) => {
    await delay(milliseconds);
  },
};
