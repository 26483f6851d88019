import "../contract/jitless";
import { UserError } from "../contract/errors";
import { printableLines } from "../contract/printable";
import { Engine } from "./engine";
import { assertFresh } from "./freshness";
import { listen } from "./grpc";
import { pluginProcess } from "./pluginProcess";
import { service } from "./server";

const engine = new Engine(() => process.exit());

/**
 * Whether the process has worked on a resource, and its end is in no hurry. Whoever loads the bundle then keeps what V8 has
 * compiled.
 */
export function hasWorked(): boolean {
  return engine.hasWorked;
}

/**
 * The plugin process, which Pulumi's engine starts with its address as the argument. It prints the port on which it
 * serves the provider protocol, and ends when the engine does.
 */
async function main(): Promise<void> {
  assertFresh();
  const address = process.argv.slice(2).find((argument) => !argument.startsWith("-"));
  if (address !== undefined) engine.connect(address);
  // The engine sends one of these when it is done with the plugin, and waits five seconds before it kills: SIGBREAK on
  // Windows, otherwise SIGINT. A service manager or a person sends SIGTERM.
  for (const signal of ["SIGINT", "SIGBREAK", "SIGTERM"] as const) {
    process.on(signal, () => {
      engine.end();
    });
  }
  const parts = pluginProcess({ engine, environment: process.env, command: process.ppid });
  console.log(await listen(service(parts)));
}

main().catch((error: unknown) => {
  // The engine shows what a plugin prints before it ends. Only a fault of the provider needs its stack.
  console.error(error instanceof UserError ? printableLines(error.lines) : error);
  process.exit(1);
});
