import { Client, type ClientConfig } from "pg";

/** Lends a connection and closes it again. A connection that is lost fails the query that waits on it, no more. */
export async function withClient<Result>(
  config: ClientConfig,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = new Client(config);
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
