import {
  create,
  createRegistry,
  type DescMessage,
  type DescMethod,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type Message,
  type MessageInitShape,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import type { ServiceError } from "@grpc/grpc-js";
import type { Role } from "../../src/access/model.ts";
import { ComparisonOp } from "../../src/gen/drover/v1/query_pb.js";
import { type Scope, ScopeSchema } from "../../src/gen/drover/v1/scope_pb.js";
import { Role as ProtoRole } from "../../src/gen/drover/v1/token_service_pb.js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  HelpSchema,
  RetryInfoSchema,
} from "../../src/gen/google/rpc/error_details_pb.js";
import type { TestDriver } from "./driver.ts";
import { explain, type GrpcClient } from "./grpc-client.ts";
import { holdToken } from "./tokens.ts";

/** How much a caller sees. `sales*` are the datasets that are granted where some are. */
export type Reach =
  | "unbounded"
  /** A pattern of datasets. */
  | "granted"
  /** Its rows of one region. */
  | "filtered"
  /** Its columns but the salary. */
  | "hidden"
  /** No dataset at all. */
  | "nothing"
  /** A token without bounds, and a call that gives up all of the above for an end user. */
  | "narrowed"
  /** A token with a row filter, and a call that asks for more. */
  | "widened";

export interface Caller extends Disposable {
  /** `ROLE.REACH`: also its token's name. */
  readonly name: string;
  /** What is left of its token's role. */
  readonly role: Role;
  readonly reach: Reach;
  readonly client: GrpcClient;
  readonly headers: Readonly<Record<string, string>>;
}

const ROLES: readonly Role[] = ["reader", "loader", "admin"];
const PROTO_ROLES = { reader: ProtoRole.READER, loader: ProtoRole.LOADER, admin: ProtoRole.ADMIN };
const END_USER = "ann";

const equalEu = { column: "region", op: ComparisonOp.EQUAL, value: { kind: { case: "stringValue", value: "EU" } } };
const rows = [{ dataset: "sales*", filter: { kind: { case: "compare", value: equalEu } } }];
// Upper and lower case make no difference.
const hidden = [{ dataset: "SALES*", columns: ["Sal*"] }];
const scope = (init: MessageInitShape<typeof ScopeSchema>): Scope => create(ScopeSchema, init);
const granted = scope({ datasets: ["sales*"] });
const filtered = scope({ datasets: ["sales*"], rows } as MessageInitShape<typeof ScopeSchema>);
const narrow = scope({ datasets: ["Sales*"], rows, hidden } as MessageInitShape<typeof ScopeSchema>);

const REACHES: Readonly<Record<Reach, { readonly token?: Scope; readonly call?: Scope }>> = {
  unbounded: {},
  granted: { token: granted },
  filtered: { token: filtered },
  hidden: { token: scope({ datasets: ["sales*"], hidden }) },
  nothing: { token: scope({}) },
  narrowed: { call: narrow },
  widened: { token: filtered, call: scope({ datasets: ["*"] }) },
};

/** Somebody for every role and reach; an administrator's token has no scope of its own. */
export function holdCallers(driver: TestDriver): Promise<readonly Caller[]> {
  const pairs = ROLES.flatMap((role) => (Object.keys(REACHES) as Reach[]).map((reach) => ({ role, reach })));
  const possible = pairs.filter(({ role, reach }) => role !== "admin" || REACHES[reach].token === undefined);
  return Promise.all(
    possible.map(async ({ role, reach }): Promise<Caller> => {
      const { token, call } = REACHES[reach];
      const name = `${role}.${reach}`;
      const held = await holdToken(driver, { name, role: PROTO_ROLES[role], ...(token && { scope: token }) });
      const headers = call === undefined ? {} : { ...forEndUser, "drover-scope": encoded(call) };
      const left = role === "admin" && call !== undefined ? "loader" : role;
      return { name, role: left, reach, client: held.client, headers, [Symbol.dispose]: () => held[Symbol.dispose]() };
    }),
  );
}

/** What a caller says when it gives nothing up: the end user's own work is not another one's. */
export function withoutScope({ headers }: Caller): Readonly<Record<string, string>> {
  return "drover-end-user" in headers ? forEndUser : {};
}

const forEndUser = { "drover-end-user": END_USER };

function encoded(value: Scope): string {
  return Buffer.from(toJsonString(ScopeSchema, value)).toString("base64url");
}

/** A method with what it is asked; all messages, where it takes a stream. */
export interface Request {
  readonly method: DescMethod;
  readonly messages: readonly Readonly<Record<string, unknown>>[];
  /** Of a stream that does not end by itself. */
  readonly isLast?: (message: Message) => boolean;
}

/** Everything that has come back: each answer as JSON and byte by byte, or the error with its metadata. */
export interface Answer {
  readonly text: string;
  /** Undefined where it succeeded. */
  readonly reason: string | undefined;
}

const details = createRegistry(ErrorInfoSchema, BadRequestSchema, HelpSchema, RetryInfoSchema);

export async function ask({ client, headers }: Pick<Caller, "client" | "headers">, request: Request): Promise<Answer> {
  const { method } = request;
  const texts: string[] = [];
  try {
    for await (const message of answersTo(client, request, headers)) texts.push(serialized(method.output, message));
    return { text: texts.join("\n"), reason: undefined };
  } catch (error) {
    const { reason = String(error) } = explain(error);
    return { text: [...texts, ...partsOf(error as ServiceError)].join("\n"), reason };
  }
}

async function* answersTo(
  client: GrpcClient,
  { method, messages, isLast }: Request,
  headers: Readonly<Record<string, string>>,
): AsyncGenerator<Message> {
  const [first = {}] = messages;
  switch (method.methodKind) {
    case "unary":
      yield (await client.unary(method as DescMethodUnary, first, { headers })).response;
      return;
    case "client_streaming":
      yield await client.sendAll(method as DescMethodClientStreaming, messages, { headers });
      return;
    default:
      for await (const message of client.stream(method as DescMethodServerStreaming, first, { headers })) {
        yield message;
        if (isLast?.(message)) return;
      }
  }
}

/** What a caller has said itself. */
export function askedText({ method, messages }: Request): string {
  return messages.map((message) => serialized(method.input, create(method.input, message))).join("\n");
}

function serialized(schema: DescMessage, message: Message): string {
  const json = toJsonString(schema, message, { registry: details });
  return `${json}\n${Buffer.from(toBinary(schema, message)).toString("latin1")}`;
}

function partsOf({ message, metadata }: ServiceError): readonly string[] {
  const values = Object.values(metadata?.toJSON() ?? {}).flat() as (string | Buffer)[];
  return [message, ...values.map((value) => (typeof value === "string" ? value : value.toString("latin1")))];
}
