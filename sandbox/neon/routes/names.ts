import * as z from "zod";

/** Role names that PostgreSQL or Neon reserve. */
const RESERVED = /^(pg_.*|neon_superuser|cloud_admin|zenith_admin|public|none)$/i;

const name = z
  .string()
  .min(1)
  .refine((value) => Buffer.byteLength(value) <= 63, "is longer than 63 bytes");

export const roleName = name.refine((value) => !RESERVED.test(value), "is a reserved role name");

export const databaseName = name.refine(
  (value) => !["postgres", "template0", "template1"].includes(value),
  "is a reserved database name",
);
