import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseError } from "pg";
import { UnfinishedError } from "../../contract/errors";
import type { Kind, Run } from "../../contract/kind";
import type { RoleOutputs } from "../../contract/outputs";
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

/**
 * The kind of a role, with a login as the role after it was made or changed: only that proves what is handed over. A
 * login that fails leaves the role in the state, as unfinished.
 */
export function withVerifiedLogin<Inputs extends { readonly database: string }>(
  kind: Kind<Inputs, RoleOutputs>,
): Kind<Inputs, RoleOutputs> {
  const verified = async (outputs: RoleOutputs, { database }: Inputs): Promise<RoleOutputs> => {
    const { host, port, username: user, password } = outputs;
    const result = await verifyNewLogin({ host, port, database, user, password });
    if (result === "ok") return outputs;
    throw new UnfinishedError(
      `Role "${user}" does not get into database "${database}" (${result}). Run again; if it stays so, see in Neon's console whether the role may connect.`,
      outputs,
    );
  };
  return {
    ...kind,
    create: async (inputs, run) => verified(await kind.create(inputs, run), inputs),
    update: async (state, inputs, run) => verified(await kind.update(state, inputs, run), inputs),
  };
}
