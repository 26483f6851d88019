import { Client, type ClientConfig } from "pg";

/** Connects, runs `work` and disconnects. If the connection is lost, only the query that waits for it fails. */
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
