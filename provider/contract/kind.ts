import type { z } from "zod";
import type { Clock } from "./clock";
import type { ConnectionSettings } from "./connection";
import type { NeonApi } from "./neonApi";
import type { Session } from "./session";
import type { RecordedTarget, ResolvedTarget, Target } from "./target";

/** What differs from what the last run left, by name, in the user's words. The next preview shows it. */
export type Drift = Record<string, string | number | boolean | readonly string[]>;

/** What `read` found. */
export interface Observed<Outputs> {
  /** The outputs as they are now. */
  readonly outputs: Outputs;
  /** Differences from what the last run left; each makes the next `up` call `update`. Left out or empty: none. */
  readonly drift?: Drift;
}

/**
 * What the handlers of all kinds share in one plugin process. It opens no connection and sends no request before a
 * handler needs it.
 */
export interface Run {
  /** Neon's API. The API key is looked up at the first use; a missing key is a `UserError`. */
  readonly neon: NeonApi;
  /**
   * Lends `work` the process's one SQL session to the database, logged in as the database's owner. Callers wait in a
   * queue, so `work` has the session to itself. Inside `work`, do not ask for the same database again. The target is
   * resolved as by {@link resolve}, with the same errors; a connection that cannot be opened is a `UserError`.
   */
  sql<Result>(
    target: Target & { readonly database: string },
    work: (session: Session) => Promise<Result>,
    recorded?: Partial<RecordedTarget>,
  ): Promise<Result>;
  /**
   * Looks up branch, endpoint, database and the database's owner through Neon's API. The answer is kept until the
   * process ends; an error is not kept.
   *
   * @param recorded the ids in the resource's state. If the branch's name now means another branch, that is an error,
   *   unless the recorded branch is gone, as after a restore: that is accepted, and logged.
   */
  resolve(target: Target, recorded?: Partial<RecordedTarget>): Promise<ResolvedTarget>;
  /**
   * Closes the session to the target; without a database in it, all sessions to the project. The next use opens a new
   * session. Call it before restarting the compute.
   */
  closeSql(target: Target): Promise<void>;
  /**
   * Asks at most once per command of the user, even though a command may use two plugin processes. An error is not
   * kept. Neither key nor answer may hold a secret, because a file passes them from one process to the next.
   */
  oncePerCommand(key: string, ask: () => Promise<string>): Promise<string>;
  /** How to open SQL connections besides the owner's session, e.g. to log in as Bemi's role. */
  readonly connection: ConnectionSettings;
  /** Time for all waiting that is not a SQL statement's own. */
  readonly clock: Clock;
  /** Prints an info line under the stack's output in the terminal. It must hold no secret. */
  log(message: string): void;
  /**
   * Ends the work when Pulumi's engine is gone, by throwing a `UserError`. Call it between two steps that change
   * something.
   */
  checkpoint(): void;
}

/**
 * One kind of resource over plain values, free of Pulumi's types: what Pulumi's engine asks of a provider, as one object.
 *
 * A resource's state is its inputs with the outputs of the last create, read or update merged over them. State that an
 * older release wrote may lack outputs, hence `Partial`.
 *
 * Every handler may throw a `UserError`. `create` and `update` throw an `UnfinishedError` to keep the resource in the
 * state although they did not finish.
 */
export interface Kind<Inputs extends object, Outputs extends object> {
  /** Name of the export in `pulumi-neon-bemi/provider`. With a capital letter, the last part of the type token. */
  readonly name: string;
  /** Checks the inputs and brings them into one canonical form. Keys that are `undefined` count as left out. */
  readonly inputs: z.ZodType<Inputs>;
  /** Inputs whose change replaces the resource: a new object is created, then the old one is deleted. */
  readonly replaceOn: readonly (keyof Inputs & string)[];
  /** The resource's id in the engine's output: readable, stable, and no secret. */
  id(inputs: Inputs): string;
  /** Effects beyond the object itself, which the preview tells the user before the first create. */
  notice?(inputs: Inputs): string | undefined;
  /** Makes the object, or finishes what an interrupted create of the same resource has begun. */
  create(inputs: Inputs, run: Run): Promise<Outputs>;
  /** Looks at the object and changes nothing. `undefined`: the object is gone. */
  read(state: Inputs & Partial<Outputs>, run: Run): Promise<Observed<Outputs> | undefined>;
  /** Brings the object to the inputs, and repairs drift. */
  update(state: Inputs & Partial<Outputs>, inputs: Inputs, run: Run): Promise<Outputs>;
  /** Removes the object, and restores what was changed for it. An object that is gone already is no error. */
  delete(state: Inputs & Partial<Outputs>, run: Run): Promise<void>;
}
