import { setTimeout as delay } from "node:timers/promises";

/** Time, so that tests need not wait for minutes of patience. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  sleep(milliseconds: number): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (milliseconds) => {
    await delay(milliseconds);
  },
};

const FIRST_MS = 250;
const LONGEST_MS = 5_000;

/**
 * How long to wait before the next try, in milliseconds: doubling from 250 ms up to 5 s, with the upper half random,
 * so that stacks which met the same obstacle do not come back together.
 *
 * @param attempt 0 for the first wait
 */
export function backoff(attempt: number): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt);
  return ceiling / 2 + Math.random() * (ceiling / 2);
}
