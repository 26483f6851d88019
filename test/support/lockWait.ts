import { runSql, type TestDatabase } from "./postgres";
import { until } from "./until";

/** Waits until a session of the module waits for a lock. */
export async function untilItWaits({ superuserUri }: Pick<TestDatabase, "superuserUri">): Promise<void> {
  await until(async () => {
    const waiting = await runSql(
      superuserUri,
      "SELECT FROM pg_stat_activity WHERE application_name = 'pulumi-neon-bemi' AND wait_event_type = 'Lock'",
    );
    return waiting.length > 0;
  });
}
