import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ClientWritableStream } from "@grpc/grpc-js";
import { clientError } from "../errors.ts";

/** Messages on their way to the socket: with one, the connection would idle while the next is made. */
const maxUnsentMessages = 2;

/**
 * Sends requests as fast as the driver takes them and waits for its answer. An answer that comes early ends the sending; an error
 * of `requests` cancels the call.
 */
export async function sendAll<I extends DescMessage, T>(
  call: ClientWritableStream<Buffer>,
  schema: I,
  requests: AsyncIterable<MessageInitShape<I>>,
  answer: Promise<T>,
): Promise<T> {
  let answered = false;
  const ended = answer.then(
    () => undefined,
    () => undefined,
  );
  void ended.then(() => {
    answered = true;
  });
  const iterator = requests[Symbol.asyncIterator]();
  const sent = new Sent();
  try {
    while (!answered) {
      const next = iterator.next();
      // Where the answer comes first, nobody waits for it any more.
      next.catch(() => undefined);
      const item = await Promise.race([next, ended]);
      if (item === undefined) break;
      if (item.done) {
        call.end();
        return await answer;
      }
      sent.begin();
      call.write(encode(schema, item.value), () => sent.end());
      await Promise.race([sent.room(), ended]);
    }
  } catch (error) {
    call.cancel();
    await ended;
    throw error;
  } finally {
    // It may be waiting for something that never comes.
    void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
  return answer;
}

class Sent {
  #unsent = 0;
  #wake: (() => void) | undefined;

  begin(): void {
    this.#unsent++;
  }

  end(): void {
    this.#unsent--;
    this.#wake?.();
  }

  async room(): Promise<void> {
    while (this.#unsent >= maxUnsentMessages) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** Throws INVALID_ARGUMENT. */
export function encode<I extends DescMessage>(schema: I, value: MessageInitShape<I>): Buffer {
  try {
    const bytes = toBinary(schema, create(schema, value));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw clientError("INVALID_ARGUMENT", `the request can't be sent: ${message}`, { cause });
  }
}
