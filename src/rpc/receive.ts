import type { Message } from "@bufbuild/protobuf";

export interface ReceiveOptions {
  /** Throws INVALID_REQUEST. */
  readonly validate: (message: Message) => Promise<void> | undefined;
  readonly signal: AbortSignal;
}

/**
 * Hands over a client's messages, each checked, when they are asked for. An aborted signal ends the wait for the next one with
 * its reason, whatever the connection does.
 */
export async function* receive(
  messages: AsyncIterable<Message>,
  { validate, signal }: ReceiveOptions,
): AsyncGenerator<Message, void, undefined> {
  const iterator = messages[Symbol.asyncIterator]();
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => undefined);
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  try {
    for (;;) {
      const pending = iterator.next();
      // Where the abort comes first, nobody waits for it any more.
      pending.catch(() => undefined);
      const { done, value } = await Promise.race([pending, aborted.promise]);
      if (done) return;
      const checked = validate(value);
      if (checked) await checked;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
