import type { Clock } from "../../contract/clock";
import { backoff } from "./backoff";
import { NeonError, OperationError, shownMessage, shownName } from "./errors";
import type { Operation } from "./schemas";

/** How long all operations of one mutation may take together, in milliseconds. */
const OPERATION_DEADLINE = 300_000;

/** Whether an operation has neither ended nor failed. */
export function isPending(operation: Operation): boolean {
  return ["scheduling", "running", "cancelling"].includes(operation.status);
}

/**
 * Waits until every operation has ended. Neon lists several operations for one mutation, and schedules the later ones
 * while the first one runs. `finished` and `skipped` are success; `error` and `cancelled` are failure. `failed` is not
 * the end, because Neon may run the operation again. An unknown status counts as unfinished.
 *
 * @throws OperationError naming action, id and project of an operation that failed, or did not end in time
 */
export async function waitForOperations(
  projectId: string,
  operations: readonly Operation[],
  how: {
    readonly read: (operationId: string) => Promise<Operation>;
    readonly clock: Clock;
    readonly checkpoint: () => void;
    readonly status: (message: string) => void;
  },
): Promise<void> {
  const begun = how.clock.now();
  const deadline = begun + OPERATION_DEADLINE;
  for (const first of operations) {
    let operation = first;
    for (let attempt = 0; !succeeded(projectId, operation); attempt++) {
      if (how.clock.now() >= deadline) throw tooLate(projectId, operation);
      how.checkpoint();
      const seconds = Math.round((how.clock.now() - begun) / 1_000);
      how.status(
        `Waiting for Neon's operation ${shownName(operation.action)} of project ${projectId} (${seconds} s)`,
      );
      await how.clock.sleep(backoff(attempt));
      operation = await latest(operation, how.read);
    }
  }
}

/**
 * Reads the operation again. Neon can list an operation a moment before a GET of it succeeds: then a 404 is no error.
 */
async function latest(
  operation: Operation,
  read: (operationId: string) => Promise<Operation>,
): Promise<Operation> {
  try {
    return await read(operation.id);
  } catch (error) {
    if (error instanceof NeonError && error.status === 404) return operation;
    throw error;
  }
}

function succeeded(projectId: string, operation: Operation): boolean {
  const { status } = operation;
  if (status === "error" || status === "cancelled") {
    throw new OperationError(
      `${title(projectId, operation)} ended as "${shownName(status)}"${cause(operation)}. See the project's operations in Neon's console, then run this again.`,
      false,
    );
  }
  return status === "finished" || status === "skipped";
}

function tooLate(projectId: string, operation: Operation): OperationError {
  const minutes = OPERATION_DEADLINE / 60_000;
  return new OperationError(
    `${title(projectId, operation)} did not finish within ${minutes} minutes (last state: "${shownName(operation.status)}"${cause(operation)}). Neon may still finish it: see the project's operations in Neon's console, then run this again.`,
    isPending(operation),
  );
}

function title(projectId: string, { action, id }: Operation): string {
  return `Neon's operation ${shownName(action)} (${id}) of project ${projectId}`;
}

function cause({ error, failures_count: failures }: Operation): string {
  const message = error ? `: ${shownMessage(error)}` : "";
  return failures ? `${message}, after ${failures} ${failures === 1 ? "failure" : "failures"}` : message;
}
