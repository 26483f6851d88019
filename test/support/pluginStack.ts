import type { AnyKind } from "../../provider/contract/kind";
import { Resource, type State } from "../../provider/plugin/resource";
import type { Values } from "../../provider/plugin/values";
import type { LoggedRun } from "./run";

/** The inputs of each resource of a program, by name, made from the outputs of those before it. */
export type Declared = Readonly<Record<string, (outputs: Readonly<Record<string, Values>>) => object>>;

/** What Pulumi keeps of a stack: its resources by name, in the order in which they were made. */
export type StackState = Record<string, Pick<State, "id" | "inputs" | "outputs">>;

/** A command that ended in an error, after what Pulumi shows of it. */
export class CommandFailed extends Error {}

/**
 * Plays Pulumi's engine for one stack, over the resources of the plugin itself: what a failed create or update has left
 * is in the state, as in a real stack. Each command has one plugin process, which first reads every resource.
 */
export class PluginStack {
  /** What Pulumi keeps. */
  readonly state: StackState = {};

  /**
   * @param kinds by the name of the resource, each after those it depends on
   * @param newRun starts a plugin process
   * @param saves whether what a step has left is saved; not if the engine has been killed meanwhile
   */
  constructor(
    private readonly kinds: Readonly<Record<string, AnyKind>>,
    private readonly newRun: () => LoggedRun,
    private readonly saves: () => boolean = () => true,
  ) {}

  /** `pulumi up`. Returns what was done, e.g. `create publication`. @throws what the first resource fails with */
  up(declared: Declared): Promise<string[]> {
    return this.#command(async (resources) => {
      const done: string[] = [];
      for (const name of Object.keys(this.kinds)) {
        const inputsOf = declared[name];
        if (inputsOf === undefined) continue;
        const { urn, resource } = of(resources, name);
        const outputs = Object.fromEntries(
          Object.entries(this.state).map(([key, kept]) => [key, kept.outputs]),
        );
        const { inputs, mistakes } = resource.check(urn, plain(inputsOf(outputs)));
        if (mistakes.length > 0) throw new CommandFailed(mistakes.join("\n"));
        const kept = this.state[name];
        if (kept !== undefined && resource.diff(kept.outputs, kept.inputs, inputs).changes.size === 0)
          continue;
        const sent = kept && { urn, id: kept.id, inputs: kept.inputs, state: kept.outputs };
        this.#keep(name, await (sent ? resource.update(sent, inputs) : resource.create(urn, inputs)));
        done.push(`${sent ? "update" : "create"} ${name}`);
      }
      return done;
    });
  }

  /** `pulumi destroy`. */
  destroy(): Promise<void> {
    return this.#command(async (resources) => {
      for (const name of Object.keys(this.kinds).reverse()) {
        const kept = this.state[name];
        if (kept === undefined) continue;
        const { urn, resource } = of(resources, name);
        await resource.delete({ urn, id: kept.id, inputs: kept.inputs, state: kept.outputs });
        if (this.saves()) Reflect.deleteProperty(this.state, name);
      }
    });
  }

  async #command<Result>(work: (resources: Resources) => Promise<Result>): Promise<Result> {
    const run = this.newRun();
    try {
      const resources = new Map(
        Object.entries(this.kinds).map(([name, kind]) => {
          const urn = `urn:pulumi:production::shop::neon-bemi:index:${kind.definition.type}::orders-${name}`;
          return [name, { urn, resource: new Resource(kind, run) }];
        }),
      );
      await Promise.all(
        Object.entries(this.state).map(async ([name, { id, inputs, outputs }]) => {
          const { urn, resource } = of(resources, name);
          const found = await resource.refresh({ urn, id, inputs, state: outputs });
          if (found !== undefined) this.#keep(name, found);
          else if (this.saves()) Reflect.deleteProperty(this.state, name);
        }),
      );
      return await work(resources);
    } finally {
      await run.end();
    }
  }

  #keep(name: string, { id, inputs, outputs, problem }: State): void {
    if (this.saves()) this.state[name] = { id, inputs: plain(inputs), outputs: plain(outputs) };
    if (problem !== undefined) throw new CommandFailed(problem.join("\n"));
  }
}

type Resources = ReadonlyMap<string, { readonly urn: string; readonly resource: Resource }>;

function of(resources: Resources, name: string) {
  const found = resources.get(name);
  if (found === undefined) throw new Error(`There is no kind ${name}.`);
  return found;
}

/** The values after a way through the engine, which carries JSON. */
function plain(values: object): Values {
  return JSON.parse(JSON.stringify(values)) as Values;
}
