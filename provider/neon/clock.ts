const FIRST_MS = 250;
const LONGEST_MS = 5_000;

/**
 * How long to wait before the next try, in milliseconds: never under 250 ms nor over 5 s, doubling, and at random by
 * up to as much again, so that stacks which met the same obstacle do not come back together.
 *
 * @param attempt 0 for the first wait
 */
export function backoff(attempt: number): number {
  const least = Math.min(LONGEST_MS / 2, FIRST_MS * 2 ** attempt);
  return least * (1 + Math.random());
}
