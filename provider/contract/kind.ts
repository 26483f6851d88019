import type { Clock } from "./clock";
import type { Claims } from "./claims";
import type { ConnectionSettings } from "./connection";
import type { Catalog } from "./catalog";
import type { Definition } from "./definition";
import type { DriftName } from "./drift";
import type { NeonApi } from "./neonApi";
import type { Session } from "./session";
import type { RecordedTarget, ResolvedTarget, Target } from "./target";

/** What differs from what the last run left, in the user's words. The next preview shows it. */
export type Drift = Partial<Record<DriftName, string>>;

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
   *
   * @param as - another role than the database's owner, for what only that role may do. The session is another one then,
   *   which may be used inside `work` of the owner's, and the catalog that the owner's has cached does not change with it.
   */
  sql<Result>(
    target: Target & { readonly database: string },
    work: (session: Session) => Promise<Result>,
    recorded?: Partial<RecordedTarget>,
    as?: string,
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
   *
   * @param meanwhile what drops connections, without using SQL itself; no session is opened until it has ended, so that it
   *   does not break the work of another resource
   */
  closeSql(target: Target, meanwhile?: () => Promise<void>): Promise<void>;
  /**
   * Asks at most once per command of the user, even though a command may use two plugin processes. An error is not
   * kept. Neither key nor answer may hold a secret, because a file passes them from one process to the next.
   */
  oncePerCommand(key: string, ask: () => Promise<string>): Promise<string>;
  /** How to open SQL connections besides the owner's session, e.g. to log in as Bemi's role. */
  readonly connection: ConnectionSettings;
  /** Time for all waiting that is not a SQL statement's own. */
  readonly clock: Clock;
  /** Prints an info line under the resource in the terminal. Registered secrets are taken out of it. */
  log(message: string): void;
  /** Shows progress beside the resource, until the next line of progress or the end of the work. */
  status(message: string): void;
  /**
   * The catalog as it will be once everything is done that this process has planned for the session's database. A
   * preview plans one resource after the other: each plan stands on those before it, as the work will.
   */
  forecast(session: Session): Promise<Catalog>;
  /** Says what {@link forecast} answers from now on. Only for `plan`. */
  expect(session: Session, catalog: Catalog): void;
  /** What the trails of this process are going to make: two trails of one program must not want the same object. */
  readonly claims: Claims;
  /**
   * Ends the work when Pulumi's engine is gone, by throwing a `UserError`. Call it between two steps that change
   * something.
   */
  checkpoint(): void;
}

/** What a create or an update is going to do, and what will be known then. */
export interface Planned<Outputs> {
  /** Outputs as they will be, as far as they are known before the work is done. */
  readonly outputs: Partial<Outputs>;
  /** What will be done, a sentence each, in the words of PostgreSQL or Neon; empty: nothing. */
  readonly changes: readonly string[];
}

/** An object that exists, as the resource that would have made it knows it. */
export interface Found {
  /** As a program would give them. */
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, unknown>>;
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
  /** What is said about its inputs and outputs. */
  readonly definition: Definition;
  /** The resource's id in the engine's output: readable, stable, and no secret. */
  id(inputs: Inputs): string;
  /**
   * Looks, and says what `create` (without a state) or `update` would do. Changes nothing, and locks nothing beyond
   * AccessShare.
   *
   * @param replaces - as for `create`
   * @param others - as for `create`
   * @throws UserError what create or update would throw before their first write
   */
  plan(
    inputs: Inputs,
    run: Run,
    state?: Inputs & Partial<Outputs>,
    replaces?: Inputs & Partial<Outputs>,
    others?: readonly (Inputs & Partial<Outputs>)[],
  ): Promise<Planned<Outputs>>;
  /**
   * Makes the object, or finishes what an interrupted create of the same resource has begun.
   *
   * @param replaces - the state of another object, e.g. in another database, whose place this one takes: it is deleted
   *   next
   * @param others - the states of the stack's other resources that are about the same object, e.g. of the one that is
   *   deleted next because the program has renamed it. What they have made is shared: this resource records it too, and
   *   whichever of them is deleted last removes it. Default: none. For kinds whose objects have no mark of ownership.
   */
  create(
    inputs: Inputs,
    run: Run,
    replaces?: Inputs & Partial<Outputs>,
    others?: readonly (Inputs & Partial<Outputs>)[],
  ): Promise<Outputs>;
  /** Looks at the object and changes nothing. `undefined`: the object is gone. */
  read(state: Inputs & Partial<Outputs>, run: Run): Promise<Observed<Outputs> | undefined>;
  /**
   * Brings the object to the inputs, and repairs drift.
   *
   * @param others - as for `create`: what they need stays, also where these inputs no longer ask for it
   */
  update(
    state: Inputs & Partial<Outputs>,
    inputs: Inputs,
    run: Run,
    others?: readonly (Inputs & Partial<Outputs>)[],
  ): Promise<Outputs>;
  /**
   * Removes the object, and restores what was changed for it. An object that is gone already is no error.
   *
   * @param replaced - whether another object takes its place: what both use, such as the consumer's role, must stay as it
   *   is. Default: false, as on destroy.
   * @param others - as for `create`: what they need stays
   */
  delete(
    state: Inputs & Partial<Outputs>,
    run: Run,
    replaced?: boolean,
    others?: readonly (Inputs & Partial<Outputs>)[],
  ): Promise<void>;
  /**
   * The object that an import names; `undefined` when there is none. Left out by kinds that cannot be imported.
   *
   * @param id - `PROJECT/BRANCH/DATABASE/NAME`, or as much of it as the kind needs
   */
  find?(id: string, run: Run): Promise<Found | undefined>;
}

/** A kind of which no more is known than that it is one. */
export type AnyKind = Kind<Record<string, unknown>, Record<string, unknown>>;
