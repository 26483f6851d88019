import { UserError } from "../../provider/contract/errors";
import type { Run } from "../../provider/contract/kind";
import { redact } from "../../provider/contract/secrets";
import type { TrailFacts, TrailSettings } from "../../report/plan/facts";
import { readStatistics } from "./statisticsQuery";

/**
 * Looks at the project and the database of a trail, read-only: one login, and two statements for any number of tables.
 * What keeps it from looking is part of the answer.
 */
export async function see(settings: TrailSettings | undefined, run: () => Run): Promise<TrailFacts["seen"]> {
  if (settings === undefined) return { notSeen: "project, branch or database are not known before the up." };
  const { projectId, branch, database } = settings;
  try {
    const account = run();
    const project = await account.neon.knownProject(projectId);
    return await account.sql({ projectId, branch, database }, async (session) => ({
      project,
      branch: session.target.branchName,
      catalog: await session.catalog(),
      statistics: await readStatistics(session),
    }));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { notSeen: redact(error.message) };
  }
}
