/** What a driver that takes no work lets through before it says so is a few messages. */
const maxRemembered = 16;

/** Items that can be gone through again while only the first few of them have been taken. */
export class Replay<T> implements Disposable {
  readonly #iterator: AsyncIterator<T>;
  readonly #taken: T[] = [];
  #whole = true;
  #pending: Promise<IteratorResult<T>> | undefined;

  constructor(items: AsyncIterable<T>) {
    this.#iterator = items[Symbol.asyncIterator]();
  }

  /** Whether `all` would begin with the first item. */
  get whole(): boolean {
    return this.#whole;
  }

  /** From the beginning. One at a time: whoever goes through it again has left the pass before. */
  async *all(): AsyncGenerator<T, void, undefined> {
    yield* this.#taken;
    for (;;) {
      // A pass that was left while it waited has asked already.
      this.#pending ??= this.#take();
      const { done, value } = await this.#pending;
      if (done) return;
      yield value;
    }
  }

  /** Tells whatever makes the items that no more are wanted; it may be waiting for something that never comes. */
  [Symbol.dispose](): void {
    void Promise.resolve(this.#iterator.return?.()).catch(() => undefined);
  }

  async #take(): Promise<IteratorResult<T>> {
    const result = await this.#iterator.next();
    if (result.done) return result;
    this.#pending = undefined;
    if (this.#taken.length < maxRemembered) this.#taken.push(result.value);
    else this.#whole = false;
    return result;
  }
}
