import type { Login } from "../../contract/connection";
import { UnfinishedError } from "../../contract/errors";
import type { Kind, Run } from "../../contract/kind";
import type { RoleOutputs } from "../../contract/fields/role";
import { connectionError, tryConnection } from "./connection";
import { loginFailure } from "./loginFailure";

/** Whether a role can log in with its password. Only a refusal of the role itself is a result. */
const LOGIN_RESULTS = ["ok", "wrong password", "may not log in"] as const;
export type LoginResult = (typeof LOGIN_RESULTS)[number];

/**
 * Logs in once as the role, over verified TLS, and leaves again. Only a login shows whether a password is right,
 * because password hashes can neither be read nor compared.
 *
 * @throws UserError when the server cannot be asked
 */
export async function verifyLogin(run: Run, login: Login): Promise<LoginResult> {
  try {
    await tryConnection(login, run.connection, (line) => {
      run.log(line);
    });
    return "ok";
  } catch (error) {
    const failure = loginFailure(error);
    if (failure === "wrong password") return failure;
    if (failure === "role may not log in" || failure === "no privilege on database") return "may not log in";
    throw connectionError(error, login);
  }
}

/** How long a new password may be refused, in milliseconds: Neon's proxy learns of it a little later. */
const SETTLING_MS = 10_000;

/**
 * Logs in as the role right after its password was set, and tries again for up to 10 s.
 *
 * @throws UserError when the server cannot be asked
 */
export async function verifyNewLogin(run: Run, login: Login): Promise<LoginResult> {
  const { clock } = run;
  const started = clock.now();
  for (;;) {
    const result = await verifyLogin(run, login);
    if (result === "ok" || clock.now() - started > SETTLING_MS) return result;
    await clock.sleep(1_000);
  }
}

/**
 * Logs in as the role, at most once per command of the user for the same role.
 *
 * @throws UserError when the server cannot be asked
 */
export async function verifyLoginOnce(run: Run, login: Login): Promise<LoginResult> {
  const { host, port, database, user } = login;
  const key = JSON.stringify(["login", host, port, database, user]);
  const answer = await run.oncePerCommand(key, () => verifyLogin(run, login));
  return LOGIN_RESULTS.find((result) => result === answer) ?? verifyLogin(run, login);
}

/**
 * The kind of a role, which after every create and update also logs in as the role. Only a login proves that the
 * connection details handed to Bemi work. If it fails, the role stays in the state as unfinished.
 */
export function withVerifiedLogin<Inputs extends { readonly database: string }, Outputs extends RoleOutputs>(
  kind: Kind<Inputs, Outputs>,
): Kind<Inputs, Outputs> {
  const verified = async (outputs: Outputs, { database }: Inputs, run: Run): Promise<Outputs> => {
    const { host, port, username: user, password } = outputs;
    const result = await verifyNewLogin(run, { host, port, database, user, password });
    if (result === "ok") return outputs;
    throw new UnfinishedError(
      `Role "${user}" cannot log in to database "${database}" (${result}). Run again. If the error stays, check in Neon's console whether the role may connect.`,
      outputs,
    );
  };
  return {
    ...kind,
    create: async (inputs, run, ...beside) =>
      verified(await kind.create(inputs, run, ...beside), inputs, run),
    update: async (state, inputs, run, ...beside) =>
      verified(await kind.update(state, inputs, run, ...beside), inputs, run),
  };
}
