import type { Drift, Kind } from "../../provider/contract/kind";
import { Engine } from "./engine";
import type { LoggedRun } from "./run";

/** A stack with one resource. Its refresh, its up and its destroy have a plugin process each. */
export class Resource<Inputs extends object, Outputs extends object> {
  readonly #engine: Engine;

  constructor(kind: Kind<Inputs, Outputs>, newRun: () => LoggedRun) {
    this.#engine = new Engine({ resource: kind }, newRun, { refreshes: false, updatesAll: true });
  }

  /** Inputs and outputs; `undefined` while the resource does not exist. A test may set what an earlier run left. */
  get state(): (Inputs & Partial<Outputs>) | undefined {
    const kept = this.#engine.state["resource"];
    return kept && ({ ...kept.inputs, ...kept.outputs } as Inputs & Partial<Outputs>);
  }

  set state(values: (Inputs & Partial<Outputs>) | undefined) {
    if (values === undefined) delete this.#engine.state["resource"];
    else this.#engine.state["resource"] = { inputs: { ...values }, outputs: {} };
  }

  /** The drift that the last refresh found. */
  get drift(): Drift {
    return this.#engine.drift["resource"] ?? {};
  }

  /**
   * Refreshes, then creates the resource or updates it, even if nothing has changed. Returns what the create or update
   * logged.
   */
  async up(inputs: Inputs): Promise<string[]> {
    await this.#engine.refresh();
    return this.#logged(() => this.#engine.apply({ resource: () => inputs }));
  }

  /** Refreshes, and returns what a preview says. The state stays as it is. */
  async preview(inputs: Inputs): Promise<readonly string[]> {
    return (await this.#engine.preview({ resource: () => inputs }))["resource"] ?? [];
  }

  /** Returns what the read logged. */
  refresh(): Promise<string[]> {
    return this.#logged(() => this.#engine.refresh());
  }

  /** Returns what the delete logged. */
  destroy(): Promise<string[]> {
    return this.#logged(() => this.#engine.destroy());
  }

  async #logged(work: () => Promise<unknown>): Promise<string[]> {
    const before = this.#engine.lines.length;
    await work();
    return this.#engine.lines.slice(before);
  }
}
