import { mistakesIn } from "../contract/mistakes";
import { providerInputs, type ProviderInputs } from "../contract/provider";
import { closest } from "../contract/wording";
import { sentences, type CheckedInputs } from "./resource";
import { isUnknown, type Values } from "./values";

/** The configuration of one provider of the program: an account of Neon's. */
export type Configuration = ProviderInputs;

const KEYS = Object.keys(providerInputs.shape);

/**
 * Checks the provider's configuration. The default provider is given everything in the namespace `neon-bemi`, so keys
 * that a program has there for itself are left out; only what looks like a misspelt key of the provider is a mistake.
 */
export function checkConfiguration(values: Values): CheckedInputs {
  const own = Object.entries(values).filter(
    ([key]) => KEYS.includes(key) || closest(key, KEYS) !== undefined,
  );
  const { value, mistakes } = mistakesIn(providerInputs, Object.fromEntries(own), isUnknown);
  return { inputs: value, mistakes: sentences(mistakes) };
}
