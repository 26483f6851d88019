import type { Run } from "./kind";

/**
 * One thing that a handler is going to do, as a plain value: its name, and whatever the doing needs. Each kind has a
 * union of its steps; a pure function plans a list of them from the catalog and the inputs, so that tests can print
 * what would happen and a preview can show it.
 */
export interface Step {
  /** In the words of PostgreSQL or Neon, e.g. `create publication`. */
  readonly step: string;
}

/** How each step of a kind is done. */
export type Doers<Steps extends Step> = {
  readonly [Name in Steps["step"]]: (step: Extract<Steps, { readonly step: Name }>) => Promise<void>;
};

/**
 * Does the steps in their order. Between two steps is a safe point: the database is as one more run expects it, and
 * the work ends there when the engine is gone.
 */
export async function execute<Steps extends Step>(
  steps: readonly Steps[],
  doers: Doers<Steps>,
  run: Pick<Run, "checkpoint">,
): Promise<void> {
  for (const step of steps) {
    run.checkpoint();
    const doer = doers[step.step as Steps["step"]] as (step: Steps) => Promise<void>;
    await doer(step);
  }
}
