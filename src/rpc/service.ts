import type {
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  Message,
  MessageShape,
} from "@bufbuild/protobuf";
import type { Call } from "./call.ts";

/** What the driver demands before a method of a service runs. */
export interface ServicePolicy<S extends DescService> {
  /** Whether callers must show the token. */
  readonly authenticated: boolean;
  /** The methods that need no token although the service's others do. */
  readonly open?: readonly (keyof S["method"])[];
  /** The methods that are work: refused while the driver starts or stops, and waited for when it stops. */
  readonly work: readonly (keyof S["method"])[];
  /** The methods that are no work, but bring what work has made: waited for when the driver stops. */
  readonly awaited?: readonly (keyof S["method"])[];
}

export type UnaryHandler<I, O> = (request: I, call: Call) => O | Promise<O>;
export type StreamHandler<I, O> = (request: I, call: Call) => AsyncIterable<O>;

type HandlerOf<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? UnaryHandler<MessageShape<I>, MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? StreamHandler<MessageShape<I>, MessageShape<O>>
      : never;

/** One handler for each unary or server-streaming method of a service. */
export type ServiceHandlers<S extends DescService> = {
  readonly [K in keyof S["method"] as HandlerOf<S["method"][K]> extends never ? never : K]: HandlerOf<S["method"][K]>;
};

/** A method with its handler, ready for any stack. */
export type BoundMethod = BoundUnary | BoundStream;

interface BoundBase {
  readonly method: DescMethod;
  /** `/drover.v1.QueryService/RunQuery`. */
  readonly path: string;
  readonly authenticated: boolean;
  readonly work: boolean;
  /** Whether the driver's stop waits for it. */
  readonly awaited: boolean;
}

export interface BoundUnary extends BoundBase {
  readonly kind: "unary";
  readonly handler: UnaryHandler<Message, Message>;
}

export interface BoundStream extends BoundBase {
  readonly kind: "stream";
  readonly handler: StreamHandler<Message, Message>;
}

/** Binds handlers to a service's methods; the types see to it that none is missing. */
export function bindService<S extends DescService>(
  service: S,
  policy: ServicePolicy<S>,
  handlers: ServiceHandlers<S>,
): readonly BoundMethod[] {
  return Object.entries(handlers).map(([name, handler]) => {
    const method = service.method[name];
    if (method === undefined) throw new Error(`${service.typeName} has no method ${name}`);
    const authenticated = policy.authenticated && !policy.open?.includes(name);
    const work = policy.work.includes(name);
    const awaited = work || policy.awaited?.includes(name) === true;
    const base = { method, path: methodPath(method), authenticated, work, awaited };
    return method.methodKind === "unary"
      ? { ...base, kind: "unary", handler: handler as UnaryHandler<Message, Message> }
      : { ...base, kind: "stream", handler: handler as StreamHandler<Message, Message> };
  });
}

/** Anybody may begin many calls that need no token and leave each unfinished; none of them has much to say. */
const MAX_OPEN_REQUEST_BYTES = 4_096;

/** What the message of a call may take, given what those with the token may send. */
export function requestLimit({ authenticated }: { readonly authenticated: boolean }, maxRequestBytes: number): number {
  return authenticated ? maxRequestBytes : Math.min(maxRequestBytes, MAX_OPEN_REQUEST_BYTES);
}

export function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}
