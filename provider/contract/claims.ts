/** What the trails of one plugin process are going to make, by names that must differ between them. */
export class Claims {
  readonly #holders = new Map<string, string>();

  /**
   * Takes a name for a trail, unless another trail has it already.
   *
   * @param name the object, with everything within which its name must differ, e.g. project, branch, "role" and "bemi"
   * @param trail tells trails apart, and names them to people
   * @returns the other trail that has the name; `undefined` if the name is now this trail's
   */
  take(name: readonly string[], trail: string): string | undefined {
    const key = JSON.stringify(name);
    const holder = this.#holders.get(key);
    if (holder === undefined) this.#holders.set(key, trail);
    return holder === trail ? undefined : holder;
  }
}
