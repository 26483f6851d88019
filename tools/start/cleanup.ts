/** What has to be undone at the end, however the run ends; the last thing started goes first. */
export class Cleanup {
  private readonly tasks: (() => Promise<void>)[] = [];

  add(task: () => Promise<void>): void {
    this.tasks.push(task);
  }

  /** Runs every task, whatever becomes of the others; afterwards there is nothing left to run. Returns the failures. */
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
