import * as z from "zod";
import { filledText } from "./fields/values";

/**
 * Configuration of the provider: one account of Neon's. The default provider takes it from the stack's configuration in
 * the namespace `neon-bemi`, an explicit `new Provider(...)` from its arguments, and both from the environment.
 */
export const providerInputs = z.strictObject({
  apiKey: filledText().optional().meta({
    description: "Key of Neon's API.",
    whenOmitted: "the environment variable `NEON_API_KEY`, which is in no state",
    secret: true,
  }),
  apiUrl: filledText()
    .refine((url) => URL.canParse(url), "must be a URL")
    .optional()
    .meta({
      description: "Address of Neon's API.",
      whenOmitted: "the environment variable `NEON_API_URL`, otherwise Neon's own API",
    }),
  sslRootCert: filledText().optional().meta({
    description: "File with the certificate authority of the database's server.",
    whenOmitted: "the environment variable `PGSSLROOTCERT`, otherwise the authorities that Node.js trusts",
  }),
});

export type ProviderInputs = z.output<typeof providerInputs>;

/** The environment variable that stands in for each key that is left out. */
export const PROVIDER_ENVIRONMENT: Readonly<Record<keyof ProviderInputs, string>> = {
  apiKey: "NEON_API_KEY",
  apiUrl: "NEON_API_URL",
  sslRootCert: "PGSSLROOTCERT",
};
