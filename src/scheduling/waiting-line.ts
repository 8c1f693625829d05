/** A line of one lane: callers take turns, and each caller's own requests keep their order. Every step is O(1). */
export class WaitingLine<T> {
  // A Map keeps insertion order: its first key is the caller whose turn it is.
  readonly #callers = new Map<string, Set<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(caller: string, item: T): void {
    const items = this.#callers.get(caller);
    if (items === undefined) this.#callers.set(caller, new Set([item]));
    else items.add(item);
    this.#size++;
  }

  /** Takes an item out of turn, for one that waits no longer. */
  remove(caller: string, item: T): boolean {
    const items = this.#callers.get(caller);
    if (items === undefined || !items.delete(item)) return false;
    if (items.size === 0) this.#callers.delete(caller);
    this.#size--;
    return true;
  }

  /** The next item; its caller goes to the end of the line. */
  take(): T | undefined {
    for (const [caller, items] of this.#callers) {
      for (const item of items) {
        this.#callers.delete(caller);
        items.delete(item);
        if (items.size > 0) this.#callers.set(caller, items);
        this.#size--;
        return item;
      }
    }
    return undefined;
  }
}
