import type { SandboxInfo } from "../../sandbox";
import { STACK_NAME } from "./stack";

/** How to use the sandbox and the stack that `npm start -- --keep` leaves running. */
export function playground(up: {
  readonly sandbox: SandboxInfo;
  readonly stack: { readonly configFile: string; readonly environment: Readonly<Record<string, string>> };
}): string {
  const { sandbox, stack } = up;
  const arguments_ = `--stack ${STACK_NAME} --config-file ${quote(stack.configFile)}`;
  const exports = Object.entries(stack.environment).map(([name, value]) => `export ${name}=${quote(value)}`);
  return [
    "Sandbox and stack stay up until Ctrl-C. In another terminal, in this folder:",
    "",
    ...exports,
    `npm run pulumi -- preview ${arguments_}`,
    `npm run pulumi -- stack output connection --show-secrets --stack ${STACK_NAME}`,
    `psql ${quote(sandbox.ownerUri)}`,
    "",
  ].join("\n");
}

/** How to do the same with a Neon project. */
export const REAL_PROJECT = `The same with a Neon project of your own, from this folder:
  export NEON_API_KEY=...            # Neon console: Account settings, API keys
  npm run pulumi -- login --local    # or your own backend
  npm run pulumi -- stack init production
  npm run pulumi -- config set projectId cool-darkness-123456
  npm run pulumi -- config set database neondb
  npm run pulumi -- preview          # then: up`;

/** The value as one word of a POSIX shell. */
function quote(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", String.raw`'\''`)}'`;
}
