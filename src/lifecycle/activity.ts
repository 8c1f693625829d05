/**
 * When the driver last did something for somebody. Only calls that showed the token count: probes of load balancers would keep
 * every driver alive. By the monotonic clock, so that a wall clock that is set changes nothing.
 */
export class Activity {
  #calls = 0;
  #called = false;
  #lastAt = performance.now();

  /** Whether there ever was an authenticated call. */
  get called(): boolean {
    return this.#called;
  }

  /** Authenticated calls under way. */
  get calls(): number {
    return this.#calls;
  }

  /** By `performance.now()`. */
  get lastAt(): number {
    return this.#lastAt;
  }

  callBegan(): void {
    this.#calls++;
    this.#called = true;
    this.touch();
  }

  callEnded(): void {
    this.#calls--;
    this.touch();
  }

  /** Something else than a call ended: an operation, a lease. */
  touch(): void {
    this.#lastAt = performance.now();
  }
}
