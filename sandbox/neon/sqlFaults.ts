import * as z from "zod";
import type { CommitFault } from "../compute";

/** Neon's proxy refuses logins. */
const login = z.strictObject({
  on: z.literal("login"),
  /** The role that logs in. Default: any. */
  role: z.string().optional(),
  fault: z.strictObject({
    kind: z.literal("refuse"),
    /** The proxy's own message, e.g. `the database system is starting up`. */
    message: z.string(),
  }),
});

/** Neon's control plane takes part in transactions that create, alter or drop roles. */
const roles = z.strictObject({
  on: z.literal("roles"),
  fault: z
    .strictObject({
      kind: z.literal("controlPlane"),
      outcome: z.enum(["slow", "error", "timeout", "ghost"]),
      /** How long the COMMIT waits, in milliseconds. */
      ms: z.int().min(0).default(0),
      status: z.int().min(400).max(599).default(500),
      message: z.string().default("internal server error"),
      /** The role that the control plane makes although its CREATE ROLE is rolled back. */
      role: z.string().optional(),
    })
    .refine(({ outcome, role }) => (outcome === "ghost") === (role !== undefined), {
      error: "a ghost needs the name of its role, and nothing else has one",
    }),
});

/** What a rule about SQL connections applies to, and its fault. */
export const sqlRules = { login, roles };

export type LoginFault = z.output<typeof login>["fault"];
export type ControlPlaneFault = z.output<typeof roles>["fault"];

/** What a client sees of the fault when it commits. The texts are those of Neon's `neon_ddl_handler.c`. */
export function commitFault({ outcome, ms, status, message }: ControlPlaneFault): CommitFault {
  switch (outcome) {
    case "slow":
      return { delayMs: ms };
    case "error":
      return {
        delayMs: ms,
        error: `Received HTTP code ${status} from control plane: ${JSON.stringify({ error: message })}`,
      };
    case "timeout":
    case "ghost":
      return {
        delayMs: ms,
        error: `Failed to perform curl request: Operation timed out after ${ms} milliseconds with 0 bytes received`,
      };
  }
}
