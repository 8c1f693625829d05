import type {
  DescMessage,
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import type { Scope } from "../access/scope.ts";
import { abortError, clientError, type DroverError } from "../errors.ts";
import { status } from "../status-codes.ts";
import type { CallOptions, Transport } from "../transport/transport.ts";
import { Access, type Permissions } from "./access.ts";
import { isHidden, toConnectError } from "./connect-errors.ts";
import { UntoldError } from "./lineage.ts";

/** What is known of a call before it is let in. */
export interface RouterRequest {
  readonly headers: Headers;
  /** For example `drover.v1.QueryService/RunQuery`. */
  readonly method: string;
  readonly url: string;
  /** Aborted when the caller leaves. */
  readonly signal: AbortSignal;
}

/** A user who is logged in. */
export interface RouterUser {
  /** The name that the driver's lists and logs show; whoever has it may cancel what was asked under it. */
  readonly user: string;
  /** Default: ask questions to every dataset, and no more. */
  readonly may?: Permissions | undefined;
  /** What the user sees, as the driver itself holds it on every call; less than this server's token, never more. Default: as much. */
  readonly scope?: Scope | undefined;
}

type Refused = undefined | null | false | "";

/** How the app server lets calls in. */
export interface RouterOptions {
  /**
   * Asked for every call. Nothing, or an error of its own, means that the caller is not logged in (UNAUTHENTICATED); a
   * ConnectError goes to the caller as it is.
   */
  authorize(request: RouterRequest): RouterUser | Refused | Promise<RouterUser | Refused>;
  /**
   * Told of what callers are not told: errors about the driver's whereabouts, and those of `authorize`. Default: written
   * to stderr.
   */
  readonly onError?: ((error: unknown, call: { readonly method: string; readonly user: string }) => void) | undefined;
}

/** What a caller sends counts for nothing but its message: headers to the driver are made here. */
export interface Admitted {
  readonly access: Access;
  readonly transport: Transport;
  readonly options: CallOptions;
  readonly context: HandlerContext;
}

/** A larger request is refused: questions are small. */
const maxRequestBytes = 4 * 2 ** 20;
/** A field that this version does not know is not passed on, since nobody here can say what it allows. */
const handlerOptions = {
  readMaxBytes: maxRequestBytes,
  jsonOptions: { ignoreUnknownFields: false, alwaysEmitImplicit: true },
  binaryOptions: { readUnknownFields: false },
};

/** Mounts methods so that every call is let in first, and every error leaves in the same form. */
export class Gate {
  readonly #router: ConnectRouter;
  readonly #transport: Transport;
  readonly #options: RouterOptions;

  constructor(router: ConnectRouter, transport: Transport, options: RouterOptions) {
    this.#router = router;
    this.#transport = transport;
    this.#options = options;
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    answer: (request: MessageShape<I>, call: Admitted) => Promise<MessageInitShape<O>>,
  ): void {
    const handle = async (request: MessageShape<I>, context: HandlerContext) => {
      let access: Access | undefined;
      try {
        const call = await this.#admit(method, context);
        access = call.access;
        return await answer(request, call);
      } catch (error) {
        throw this.#refusal(error, context, nameOf(method), access);
      }
    };
    this.#router.rpc(method as DescMethodUnary, handle as never, handlerOptions);
  }

  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    answer: (request: MessageShape<I>, call: Admitted) => AsyncIterable<MessageInitShape<O>>,
  ): void {
    const gate = this;
    async function* handle(request: MessageShape<I>, context: HandlerContext) {
      let access: Access | undefined;
      try {
        const call = await gate.#admit(method, context);
        access = call.access;
        // Pulled message by message: what the caller has not taken is not read from the driver either.
        yield* endedBy(context.signal, answer(request, call));
      } catch (error) {
        throw gate.#refusal(error, context, nameOf(method), access);
      }
    }
    this.#router.rpc(method as DescMethodServerStreaming, handle as never, handlerOptions);
  }

  async #admit(method: DescMethod, context: HandlerContext): Promise<Admitted> {
    const { requestHeader: headers, url, signal } = context;
    const request = { headers, method: nameOf(method), url, signal };
    let user: RouterUser | Refused;
    try {
      user = await this.#options.authorize(request);
    } catch (error) {
      if (error instanceof ConnectError) throw error;
      this.#tell(error, { method: request.method, user: "" });
    }
    if (!user) throw clientError("LOGIN_REQUIRED", "you are not logged in");
    const access = new Access(user.user, user.may ?? {});
    const options = { signal, timeoutMs: context.timeoutMs(), endUser: access.endUser, scope: user.scope };
    return { access, transport: this.#transport, options, context };
  }

  #refusal(thrown: unknown, { signal }: HandlerContext, method: string, access: Access | undefined): ConnectError {
    if (thrown instanceof ConnectError) return thrown;
    // Whatever the call failed with then, it failed since its time was over or its caller gone.
    if (signal.aborted) return toConnectError(endOf(signal.reason));
    const call = { method, user: access?.endUser ?? "" };
    if (isHidden(thrown)) this.#tell(thrown, call);
    else if (thrown instanceof UntoldError) this.#tell(thrown.cause, call);
    return toConnectError(access?.withoutHint(thrown) ?? thrown);
  }

  #tell(error: unknown, call: { method: string; user: string }): void {
    if (this.#options.onError) this.#options.onError(error, call);
    else console.error(`drover: ${call.method} failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * Ends the iteration when the signal is aborted, even while nobody asks for more: a connection that breaks while its reader is
 * waited for never asks again, and would leave the query behind.
 */
async function* endedBy<T>(signal: AbortSignal, messages: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  const iterator = messages[Symbol.asyncIterator]();
  const end = () => void iterator.return?.().catch(() => {});
  signal.addEventListener("abort", end, { once: true });
  try {
    yield* { [Symbol.asyncIterator]: () => iterator };
    // Ended from outside it looks like its end.
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener("abort", end);
  }
}

function endOf(reason: unknown): DroverError {
  if (reason instanceof ConnectError && Number(reason.code) === status.DEADLINE_EXCEEDED)
    return clientError("DEADLINE_EXCEEDED", "the deadline passed");
  return abortError(reason);
}

function nameOf(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}
