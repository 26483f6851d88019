import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { OperationFault } from "./faults";
import { locked } from "./errors";
import type { OperationAction, OperationStatus } from "./wire";

/** A piece of work that Neon does in the background after it has answered a request. */
export interface Step {
  readonly action: OperationAction;
  readonly branchId: string;
  readonly endpointId?: string;
  readonly run: () => Promise<void>;
}

export interface OperationState {
  readonly id: string;
  readonly action: OperationAction;
  readonly branchId: string;
  readonly endpointId?: string;
  status: OperationStatus;
  error?: string;
  failures: number;
  retryAt?: Date;
  readonly createdAt: Date;
  updatedAt: Date;
}

/** How long every operation takes at least, so that a client that does not wait for it sees the unfinished state. */
const SHORTEST_MS = 150;
/** How long Neon's list of operations lags behind the request that scheduled them. */
const LIST_LAG_MS = 200;

/** The operations of one project. The operations of one request run one after the other, and no others at that time. */
export class Operations {
  private readonly known: OperationState[] = [];
  private chain: Promise<void> | undefined;
  private readonly closing = new AbortController();
  private readonly closed = once(this.closing.signal, "abort");

  /** @param pace how many times faster than by default operations run and appear in their list */
  constructor(private readonly pace: number) {}

  /** Whether an operation is unfinished. While it is, other changes of the project are refused. */
  get busy(): boolean {
    return this.chain !== undefined;
  }

  /** @throws ApiError 423 if an operation is unfinished */
  assertIdle(): void {
    if (this.busy) throw locked();
  }

  /**
   * Schedules one operation for each step, and starts the first.
   *
   * @param fault how the operations end
   * @returns the operations as they are at this moment: the first is running, the others are scheduled
   * @throws ApiError 423 if an operation is unfinished
   */
  schedule(steps: readonly Step[], fault?: OperationFault): OperationState[] {
    this.assertIdle();
    const createdAt = new Date();
    const operations = steps.map(({ action, branchId, endpointId }, index): OperationState => {
      const status = index === 0 ? "running" : "scheduling";
      return {
        id: randomUUID(),
        action,
        branchId,
        endpointId,
        status,
        failures: 0,
        createdAt,
        updatedAt: createdAt,
      };
    });
    const atAnswer = operations.map((operation) => ({ ...operation }));
    this.known.push(...operations);
    if (steps.length > 0)
      this.chain = this.runAll(operations, steps, fault).finally(() => {
        this.chain = undefined;
      });
    return atAnswer;
  }

  get(id: string): OperationState | undefined {
    return this.known.find((operation) => operation.id === id);
  }

  /** The operations, newest first, without those that the list does not show yet. */
  list(): OperationState[] {
    const shown = Date.now() - LIST_LAG_MS / this.pace;
    return this.known.filter((operation) => operation.createdAt.getTime() <= shown).reverse();
  }

  /** Resolves when no operation is unfinished. */
  async settled(): Promise<void> {
    await this.chain;
  }

  /** Cancels the operations that have not begun their work, and waits for the others. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.chain;
  }

  private async runAll(
    operations: readonly OperationState[],
    steps: readonly Step[],
    fault: OperationFault | undefined,
  ): Promise<void> {
    for (const [index, step] of steps.entries()) {
      const operation = operations[index];
      if (operation === undefined) return;
      const applies = fault?.action === undefined || fault.action === step.action;
      if (!(await this.runOne(operation, step, applies ? fault : undefined))) {
        for (const later of operations.slice(index + 1)) change(later, "cancelled");
        return;
      }
    }
  }

  /** @returns whether the next operation may run */
  private async runOne(operation: OperationState, step: Step, fault?: OperationFault): Promise<boolean> {
    change(operation, "running");
    try {
      await this.wait(SHORTEST_MS / this.pace);
      switch (fault?.outcome) {
        case "failed":
        case "error":
          operation.error = fault.error;
          operation.failures += 1;
          change(operation, fault.outcome);
          return false;
        case "cancelled":
          change(operation, "cancelling");
          await this.wait(SHORTEST_MS / this.pace);
          change(operation, "cancelled");
          return false;
        case "skipped":
          change(operation, "skipped");
          return true;
        case "retried":
          operation.error = fault.error;
          operation.failures += 1;
          change(operation, "failed");
          await this.wait((2 * SHORTEST_MS) / this.pace);
          operation.retryAt = new Date();
          operation.error = undefined;
          change(operation, "running");
          break;
        case "stuck":
          await Promise.race([fault.released, this.closed]);
          this.closing.signal.throwIfAborted();
          break;
        case undefined:
      }
      await step.run();
      change(operation, "finished");
      return true;
    } catch (error) {
      operation.error = error instanceof Error ? error.message : String(error);
      operation.failures += 1;
      change(operation, this.closing.signal.aborted ? "cancelled" : "error");
      return false;
    }
  }

  private async wait(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.closing.signal });
  }
}

function change(operation: OperationState, status: OperationStatus): void {
  operation.status = status;
  operation.updatedAt = new Date();
}
