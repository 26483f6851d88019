import { readFileSync, writeFileSync } from "node:fs";
import type { Session } from "../../provider/contract/session";
import { testRun, withSessions } from "./session";
import { watchedSession } from "./watchedSession";
import { Trail, type TrailArgs, type TrailRun, type TrailState } from "./trail";

/** One command for {@link main}, in a process that can be killed. */
export interface Order {
  readonly ownerUri: string;
  readonly sslRootCert: string;
  /** Where the state is before, and where it is saved after every step. */
  readonly stateFile: string;
  readonly work: "up" | "destroy";
  readonly args: TrailArgs;
  /** Number of the statement at which this process ends itself with SIGKILL; left out: never. */
  readonly killAt?: number;
  /** Whether that statement has been answered then, or only sent. */
  readonly answered?: boolean;
}

/** Plays one command, and dies in the middle of it where ordered. The answer is how many statements it sent. */
async function main(order: Order): Promise<number> {
  let statements = 0;
  const watched = (session: Session): Session =>
    watchedSession(session, async (_, send) => {
      statements += 1;
      const number = statements;
      const answer = send();
      if (number !== order.killAt) return answer;
      if (order.answered === true) await answer.catch(() => undefined);
      // The socket is written to in this turn of the event loop.
      else await new Promise((resolve) => setImmediate(resolve));
      process.kill(process.pid, "SIGKILL");
      return answer;
    });
  const newRun = (): TrailRun => withSessions(testRun(order), watched);
  const state = JSON.parse(readFileSync(order.stateFile, "utf8")) as TrailState;
  const trail = new Trail(newRun, state, (now) => {
    writeFileSync(order.stateFile, JSON.stringify(now));
  });
  await (order.work === "up" ? trail.up(order.args) : trail.destroy());
  return statements;
}

// The listener keeps the process alive: idle sessions do not.
process.on("message", (order: Order) => {
  void main(order).then((statements) => {
    process.send?.(statements, () => process.exit());
  });
});
