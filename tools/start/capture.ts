import { randomUUID } from "node:crypto";
import { UserError } from "../../provider/contract/errors";
import { runApplication } from "./application";
import { discrepancies, type Change } from "./changes";
import { startConsumer, type ConsumerOptions } from "./consumer";

/** How long the consumer may take to catch up with the application, in milliseconds. */
const CATCH_UP_MS = 20_000;

/** A database with the sample schema, and how its owner connects. */
interface SampleDatabase {
  readonly ownerUri: string;
  readonly sslRootCert: string;
}

/**
 * Streams the changes of the sample application like Bemi, and compares them with what the application wrote.
 *
 * @param meanwhile - done while the consumer is connected and has caught up. Default: nothing.
 * @throws UserError if a change is missing, or is not captured in full
 */
export async function capture(
  { ownerUri, sslRootCert }: SampleDatabase,
  connection: ConsumerOptions["connection"],
  localAddress: string,
  meanwhile: () => Promise<void> = () => Promise.resolve(),
): Promise<readonly Change[]> {
  const consumer = await startConsumer({
    connection,
    publication: "bemi",
    slot: "bemi",
    sslRootCert,
    localAddress,
  });
  try {
    const lastWord = randomUUID();
    const writes = await runApplication({ uri: ownerUri, sslRootCert, lastWord });
    await consumer.reached(lastWord, CATCH_UP_MS);
    const wrong = discrepancies(writes, consumer.changes);
    if (wrong.length > 0)
      throw new UserError(
        `The captured changes differ from the application's writes:\n  ${wrong.join("\n  ")}`,
      );
    await meanwhile();
    return consumer.changes;
  } finally {
    await consumer.stop();
  }
}
