/** The tasks that must run at the end, however the run ends. The task that was added last runs first. */
export class Cleanup {
  private readonly tasks: (() => Promise<void>)[] = [];

  add(task: () => Promise<void>): void {
    this.tasks.push(task);
  }

  /** Runs every task once, also after a task has failed. Returns the failures. */
  async run(): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (let task = this.tasks.pop(); task !== undefined; task = this.tasks.pop()) {
      try {
        await task();
      } catch (error) {
        failures.push(error);
      }
    }
    return failures;
  }
}
