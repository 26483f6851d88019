const FIRST_MS = 250;
const LONGEST_MS = 5_000;

/**
 * How long to wait before the next attempt, in milliseconds: at least 250 ms, at most 5 s, doubling with each attempt.
 * Up to the same time again is added at random, so that stacks which met the same obstacle do not all come back at the
 * same moment.
 *
 * @param attempt 0 for the first wait
 */
export function backoff(attempt: number): number {
  const shortest = Math.min(LONGEST_MS / 2, FIRST_MS * 2 ** attempt);
  return shortest * (1 + Math.random());
}
