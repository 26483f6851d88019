import { providerInputs } from "../../provider/contract/provider";
import { groupArguments } from "./arguments";
import { docComment } from "./text";
import { argumentsInterface } from "./types";

/** What an explicit provider is, in Markdown. */
export const PROVIDER_TEXT = `An account of Neon's. Without an explicit provider, resources use the one that the stack's configuration sets up in the
namespace \`neon-bemi\`. Make one for each account when a program works with several, and give it to a resource or a
component by its option \`provider\`. The key is encrypted in the state.`;

/** The module of the provider: its arguments and its class. */
export function providerModule(): string {
  const list = groupArguments(providerInputs);
  return `import type { Input, ResourceOptions } from "@pulumi/pulumi";
import { NeonBemiProvider } from "../binding";

${argumentsInterface("ProviderArgs", "Arguments of {@link Provider}.", list)}

${docComment(PROVIDER_TEXT)}
export class Provider extends NeonBemiProvider {
  constructor(name: string, args?: ProviderArgs, opts?: ResourceOptions) {
    super(name, { ...args }, opts);
  }
}
`;
}
