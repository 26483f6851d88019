import { setTimeout as delay } from "node:timers/promises";

/** Time as handlers see it. Tests pass another clock, so that they need not wait for minutes. */
export interface Clock {
  /** The current time, in milliseconds since 1970. */
  now(): number;
  /** Waits for so many milliseconds. */
  sleep(milliseconds: number): Promise<void>;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (milliseconds) => {
    await delay(milliseconds);
  },
};
