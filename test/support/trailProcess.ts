import { readFileSync, writeFileSync } from "node:fs";
import type { Session } from "../../provider/contract/session";
import type { EngineState } from "./engine";
import { testRun, withSessions, type TestRun } from "./run";
import { Trail, type TrailArgs } from "./trail";
import { watchedSession } from "./watchedSession";

/** One command on a trail, for a process that can be killed. */
export interface Order {
  readonly ownerUri: string;
  readonly superuserUri: string;
  readonly sslRootCert: string;
  /** Path of the file with the state before the command. It is written anew after every step. */
  readonly stateFile: string;
  readonly work: "up" | "destroy";
  readonly args: TrailArgs;
  /** Number of the statement, from 1, at which this process kills itself with SIGKILL. Default: it is not killed. */
  readonly killAt?: number;
  /** Whether it waits for that statement's answer first. Default: it only sends the statement. */
  readonly answered?: boolean;
}

/** Runs the command, and dies in the middle of it if the order says so. Returns how many statements it sent. */
async function main(order: Order): Promise<number> {
  let statements = 0;
  const watched = (session: Session): Session =>
    watchedSession(session, async (_, send) => {
      statements += 1;
      const number = statements;
      const answer = send();
      if (number !== order.killAt) return answer;
      if (order.answered === true) await answer.catch(() => undefined);
      // The driver writes to the socket in this turn of the event loop.
      else await new Promise((resolve) => setImmediate(resolve));
      process.kill(process.pid, "SIGKILL");
      return answer;
    });
  const newRun = (): TestRun => withSessions(testRun(order), watched);
  const state = JSON.parse(readFileSync(order.stateFile, "utf8")) as EngineState;
  const save = (now: EngineState): void => {
    writeFileSync(order.stateFile, JSON.stringify(now));
  };
  const trail = new Trail(newRun, state, { save });
  await (order.work === "up" ? trail.up(order.args) : trail.destroy());
  return statements;
}

// This listener keeps the process alive, which idle sessions do not.
process.on("message", (order: Order) => {
  void main(order).then((statements) => {
    process.send?.(statements, () => process.exit());
  });
});
