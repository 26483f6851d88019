import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseError } from "pg";
import type { Run } from "../kind";
import { connectionError, tryConnection, type Login } from "./connection";

/** Whether a role gets in with its password; anything but a refusal of the role itself is an error. */
export type LoginResult = "ok" | "wrong password" | "may not log in";

/**
 * Logs in once as the role, over verified TLS, and leaves again. Only a login tells whether a password is right:
 * hashes are neither readable nor comparable.
 *
 * Throws a {@link UserError} when the server cannot be asked.
 */
export async function verifyLogin(login: Login): Promise<LoginResult> {
  try {
    await tryConnection(login);
    return "ok";
  } catch (error) {
    if (error instanceof DatabaseError && error.code === "28P01") return "wrong password";
    if (error instanceof DatabaseError && (error.code === "28000" || error.code === "42501"))
      return "may not log in";
    throw connectionError(error, login);
  }
}

/** How long a password that has just been set may be refused, in milliseconds: Neon's proxy learns of it later. */
const SETTLING_MS = 10_000;

/** {@link verifyLogin} with patience, right after the password was set. */
export async function verifyNewLogin(login: Login): Promise<LoginResult> {
  const started = Date.now();
  for (;;) {
    const result = await verifyLogin(login);
    if (result === "ok" || Date.now() - started > SETTLING_MS) return result;
    await sleep(1_000);
  }
}

/** {@link verifyLogin}, at most once per command of the user for the same role. */
export function verifyLoginOnce(run: Run, login: Login): Promise<LoginResult> {
  const { host, port, database, user } = login;
  const key = JSON.stringify(["login", host, port, database, user]);
  return run.oncePerCommand(key, () => verifyLogin(login)) as Promise<LoginResult>;
}
