import type {
  DescMethod,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  Message,
  MessageShape,
} from "@bufbuild/protobuf";
import type { Role } from "../access/model.ts";
import type { Call } from "./call.ts";

/** What the driver demands before a method of a service runs. */
export interface ServicePolicy<S extends DescService> {
  /** What the caller's token must allow at least, method by method; "anyone" needs no token. */
  readonly roles: { readonly [K in keyof ServiceHandlers<S>]: Role | "anyone" };
  /** The methods that read sources, or tell of them: refused to whoever sees only a part of some dataset. */
  readonly sources?: readonly (keyof S["method"])[];
  /** The methods that are work: refused while the driver starts or stops, and waited for when it stops. */
  readonly work: readonly (keyof S["method"])[];
  /** The methods that are no work, but bring what work has made: waited for when the driver stops. */
  readonly awaited?: readonly (keyof S["method"])[];
}

export type UnaryHandler<I, O> = (request: I, call: Call) => O | Promise<O>;
export type StreamHandler<I, O> = (request: I, call: Call) => AsyncIterable<O>;
/**
 * Takes a client's messages one after the other. The client is read as fast as they are taken and no faster. The iteration throws
 * where the client leaves, is late, or sends what can't be read. Its end alone does not say that all has come: an HTTP/2 client on
 * Node that cancels ends the stream properly before it resets it. So where a part must not pass for the whole, a
 * message has to say that it is the last one, or how much there is.
 */
export type ClientStreamHandler<I, O> = (requests: AsyncIterable<I>, call: Call) => O | Promise<O>;

type HandlerOf<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? UnaryHandler<MessageShape<I>, MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? StreamHandler<MessageShape<I>, MessageShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? ClientStreamHandler<MessageShape<I>, MessageShape<O>>
        : never;

/** One handler for each method of a service, but for those with streams both ways. */
export type ServiceHandlers<S extends DescService> = {
  readonly [K in keyof S["method"] as HandlerOf<S["method"][K]> extends never ? never : K]: HandlerOf<S["method"][K]>;
};

/** A method with its handler, ready for any stack. */
export type BoundMethod = BoundUnary | BoundStream | BoundClientStream;

interface BoundBase {
  readonly method: DescMethod;
  /** `/drover.v1.QueryService/RunQuery`. */
  readonly path: string;
  /** Undefined: no token is asked for. */
  readonly role: Role | undefined;
  readonly authenticated: boolean;
  /** Whether it is refused to whoever sees only a part of some dataset. */
  readonly sources: boolean;
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

export interface BoundClientStream extends BoundBase {
  readonly kind: "clientStream";
  readonly handler: ClientStreamHandler<Message, Message>;
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
    const needed: Role | "anyone" = policy.roles[name as keyof ServiceHandlers<S>];
    const role: Role | undefined = needed === "anyone" ? undefined : needed;
    const work = policy.work.includes(name);
    const awaited = work || policy.awaited?.includes(name) === true;
    const sources = policy.sources?.includes(name) === true;
    const base = { method, path: methodPath(method), role, authenticated: role !== undefined, sources, work, awaited };
    switch (method.methodKind) {
      case "unary":
        return { ...base, kind: "unary", handler: handler as UnaryHandler<Message, Message> };
      case "server_streaming":
        return { ...base, kind: "stream", handler: handler as StreamHandler<Message, Message> };
      case "client_streaming":
        return { ...base, kind: "clientStream", handler: handler as ClientStreamHandler<Message, Message> };
      default:
        throw new Error(`${base.path}: streams both ways can't be carried over HTTP/1.1`);
    }
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
