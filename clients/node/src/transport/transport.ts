import type {
  DescMessage,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { Scope } from "../access/scope.ts";

/** What every call takes. */
export interface CallOptions {
  /** Aborting it cancels the call, and its work in the driver. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds until the call fails with DEADLINE_EXCEEDED and its work is stopped; Infinity for no limit. Default: 60 s;
   * none for streams.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * For whom the call is made, as this app server knows them: the driver notes it beside the name that the token carries,
   * and trusts it as much as this app server.
   */
  readonly endUser?: string | undefined;
  /** What the end user may see: less than this client's token, never more. Needs `endUser`. */
  readonly scope?: Scope | undefined;
  /** Headers to send along, for example a W3C `traceparent`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** How long a unary call may take unless its caller says otherwise. */
export const defaultTimeoutMs = 60_000;

/** Carries calls to a driver. */
export interface Transport extends AsyncDisposable {
  /** The instance id that the latest response carried; empty before the first. */
  readonly instanceId: string;
  /** `host:port` of the driver that the latest call went to. */
  readonly address: string;
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
  ): Promise<MessageShape<O>>;
  /**
   * Calls `onBytes` with the size of every message. Back-pressure: nothing is read from the wire beyond a few messages until
   * the consumer asks for more. Leaving the loop cancels the call.
   */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
    onBytes?: (bytes: number) => void,
  ): AsyncGenerator<MessageShape<O>, void, undefined>;
  /**
   * Sends `requests` as fast as the driver takes them, and leaves them where it answers before their end. An error that they
   * throw cancels the call and is thrown. Work that can go on where a connection broke follows a route by itself: here
   * a call of which anything may have been processed fails with its connection.
   */
  clientStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodClientStreaming<I, O>,
    requests: AsyncIterable<MessageInitShape<I>>,
    options: CallOptions,
  ): Promise<MessageShape<O>>;
  /** The way of one piece of work that can go on after its connection is lost. Rejects if there is no driver to go to. */
  route(options: CallOptions): Promise<Route>;
}

/** Where one piece of work is: it keeps to one connection until that is lost, and then goes to the next one. */
export interface Route extends Disposable {
  /** Carries calls over the present connection only, and fails with it. */
  readonly channel: Transport;
  /** The driver at its other end; empty before its first answer. */
  readonly instanceId: string;
  /** What is left of the caller's options. */
  readonly options: CallOptions;
  /** The work got on: what fails after this is a new failure. */
  advanced(): void;
  /**
   * Goes on after `error`. Throws `error` where that is nothing to go on from (another connection would not help, too many
   * attempts, an exhausted budget), or why there is no way on. With `rejoin` it looks first for the driver that it was at, even
   * where that one drains: something is going on there.
   */
  next(error: unknown, options?: { readonly rejoin?: boolean }): Promise<void>;
  /** Does something that nobody waits for, except a transport that is being closed, for a moment. */
  afterwards(work: (channel: Transport) => Promise<unknown>): void;
}
