import type { AnyKind, Run } from "../provider/contract/kind";
import { Engine } from "../provider/plugin/engine";
import { KINDS, pluginProcess } from "../provider/plugin/pluginProcess";
import type { ProviderSettings } from "./pulumi";

/**
 * What the kinds work with outside of Pulumi: Neon's API and SQL sessions, with the provider's configuration or, for
 * what it lacks, the environment variables. Commands of this package only read.
 */
export function accountRun(
  settings: ProviderSettings,
  environment: Readonly<Record<string, string | undefined>>,
): Run {
  // Without an engine, lines that are meant for one are dropped.
  const parts = pluginProcess({ engine: new Engine(() => undefined), environment, command: undefined });
  parts.configure(settings);
  return parts.run;
}

/** The kind of a name, e.g. `Publication`; `undefined` for one of another version of this package. */
export function kindOf(type: string): AnyKind | undefined {
  return KINDS.find(({ definition }) => definition.type === type);
}
