import type { z } from "zod";
import type { NeonApi } from "./neonApi";
import type { Session } from "./session";
import type { RecordedTarget, ResolvedTarget, Target } from "./target";

/** Named differences between what the last run left and what is there now, shown by the next preview. */
export type Drift = Record<string, string | number | boolean | readonly string[]>;

/** What `read` found: the outputs as they are now, and what no longer is as it was made. */
export interface Observed<Outputs> {
  readonly outputs: Outputs;
  /** Left out or empty: everything is as the last run left it. Anything in it makes the next `up` call `update`. */
  readonly drift?: Drift;
}

/**
 * What a handler may use while it works. One `Run` serves a whole plugin process; nothing in it is opened before it
 * is asked for.
 */
export interface Run {
  /** Neon's API; the key is looked up at the first request. */
  readonly neon: NeonApi;
  /**
   * Lends the one SQL session of this process to the database, as its owner role. Callers queue: `work` has the
   * session to itself. Opening it resolves the target through Neon's API.
   *
   * `recorded` is what the state says the target meant, if there is one: a name that meanwhile means another branch is
   * an error, unless the recorded branch is gone (a restore), which is accepted and logged.
   */
  sql<Result>(
    target: Target & { readonly database: string },
    work: (session: Session) => Promise<Result>,
    recorded?: Partial<RecordedTarget>,
  ): Promise<Result>;
  /** Resolves branch, endpoint, database and its owner through Neon's API; cached for the life of the process. */
  resolve(target: Target, recorded?: Partial<RecordedTarget>): Promise<ResolvedTarget>;
  /**
   * Closes the session to this target, if there is one; the next use opens a new one. For whoever restarts the
   * compute. Without a database: every session of the project.
   */
  closeSql(target: Target): Promise<void>;
  /**
   * Asks at most once per command of the user, although a command may work in two plugin processes. Neither key nor
   * answer may hold a secret: they wait in a file.
   */
  oncePerCommand(key: string, ask: () => Promise<string>): Promise<string>;
  /** An info line under the stack's output in the terminal. Never with a secret in it. */
  log(message: string): void;
  /** Throws when the engine that started this process is gone. Call between steps that change something. */
  checkpoint(): void;
}

/**
 * One kind of resource over plain values, free of Pulumi's types. The adapter turns it into a dynamic provider.
 *
 * `State` is what a create or update returned, merged over the inputs. State written by an older release may lack
 * outputs, hence `Partial`.
 */
export interface Kind<Inputs extends object, Outputs extends object> {
  /** Name of the export of `pulumi-neon-bemi/provider`, and the last part of the type token with a capital letter. */
  readonly name: string;
  /** Validates and canonicalises inputs; `undefined` keys are stripped before and after. */
  readonly inputs: z.ZodType<Inputs>;
  /** Inputs whose change makes another object of it (created new, then the old one is deleted). */
  readonly replaceOn: readonly (keyof Inputs & string)[];
  /** What the resource is called in the engine's output: readable, stable, not a secret. */
  id(inputs: Inputs): string;
  /** What must be known before the first create, said in the preview: effects that reach beyond the object itself. */
  notice?(inputs: Inputs): string | undefined;
  create(inputs: Inputs, run: Run): Promise<Outputs>;
  /** `undefined` says that the object is gone. Changes nothing. */
  read(state: Inputs & Partial<Outputs>, run: Run): Promise<Observed<Outputs> | undefined>;
  update(state: Inputs & Partial<Outputs>, inputs: Inputs, run: Run): Promise<Outputs>;
  delete(state: Inputs & Partial<Outputs>, run: Run): Promise<void>;
}
