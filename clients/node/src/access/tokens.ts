import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";
import { required, wholeNumber } from "../checks.ts";
import { clientError } from "../errors.ts";
import * as wire from "../gen/drover/v1/token_service_pb.js";
import { paged } from "../pages.ts";
import { dateFrom } from "../times.ts";
import type { CallOptions, Transport } from "../transport/transport.ts";
import { type Scope, scopeFrom, scopeToWire } from "./scope.ts";

/** What the holder of a token may do; each may what those before it may. */
export type Role = "reader" | "loader" | "admin";

/** What is wanted of a token. */
export interface TokenDraft {
  readonly name: string;
  readonly role: Role;
  /** What it sees. Default: everything. An administrator's token has none. */
  readonly scope?: Scope | undefined;
  /** How long it holds. Default: for ever. */
  readonly lifetimeMs?: number | undefined;
}

/** How a token gets a new text. */
export interface RotateOptions extends CallOptions {
  /** How long the text before holds yet. Default: an hour. */
  readonly graceMs?: number | undefined;
  /** How long the new text holds. Default: as long as was said of the one before. */
  readonly lifetimeMs?: number | undefined;
}

export interface TokenListOptions extends CallOptions {
  /** Also those that are revoked. Default: false. */
  readonly revoked?: boolean | undefined;
}

/** A token, but for its text. */
export interface TokenInfo {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** Undefined: it sees everything. */
  readonly scope: Scope | undefined;
  readonly createdBy: string;
  readonly createTime: Date | undefined;
  /** Its present text begins `drv_KEY_`. */
  readonly key: string;
  readonly rotateTime: Date | undefined;
  /** Undefined: never. */
  readonly expireTime: Date | undefined;
  /** Until when a text from before holds, too. */
  readonly previousExpireTime: Date | undefined;
  /** To a minute. */
  readonly lastUseTime: Date | undefined;
  /** When a text from before was last used, to a minute. */
  readonly previousLastUseTime: Date | undefined;
  readonly revokeTime: Date | undefined;
}

/** A token with its text, which is shown this once. */
export interface NewToken extends TokenInfo {
  readonly token: string;
}

const { method } = wire.TokenService;
const maxPageSize = 1000;

/** The tokens of a data directory, beside the one in its token file. For administrators. */
export class Tokens {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async create({ name, role, scope, lifetimeMs }: TokenDraft, options: CallOptions = {}): Promise<NewToken> {
    const request = {
      ...{ name, role: roleToWire(role) },
      ...(scope && { scope: scopeToWire(scope) }),
      ...(lifetimeMs !== undefined && { lifetime: duration("lifetimeMs", lifetimeMs) }),
    };
    const { info, token } = await this.#transport.unary(method.createToken, request, options);
    return { ...tokenFrom(info), token };
  }

  /** By name. */
  list(options: TokenListOptions = {}): AsyncGenerator<TokenInfo, void, undefined> {
    return paged(async (pageToken) => {
      const request = { pageSize: maxPageSize, pageToken, showRevoked: options.revoked === true };
      const { tokens, nextPageToken } = await this.#transport.unary(method.listTokens, request, options);
      return { items: tokens.map(tokenFrom), nextPageToken };
    });
  }

  /** Gives a token a new text; the one before holds for a grace time. */
  async rotate(name: string, { graceMs, lifetimeMs, ...options }: RotateOptions = {}): Promise<NewToken> {
    const request = {
      name,
      ...(graceMs !== undefined && { grace: duration("graceMs", graceMs) }),
      ...(lifetimeMs !== undefined && { lifetime: duration("lifetimeMs", lifetimeMs) }),
    };
    const { info, token } = await this.#transport.unary(method.rotateToken, request, options);
    return { ...tokenFrom(info), token };
  }

  /** Ends a token, and calls under way with it. */
  async revoke(name: string, options: CallOptions = {}): Promise<TokenInfo> {
    return tokenFrom((await this.#transport.unary(method.revokeToken, { name }, options)).info);
  }
}

const roles: Readonly<Record<Role, wire.Role>> = {
  reader: wire.Role.READER,
  loader: wire.Role.LOADER,
  admin: wire.Role.ADMIN,
};

function roleToWire(role: Role): wire.Role {
  if (Object.hasOwn(roles, role)) return roles[role];
  throw clientError("INVALID_ARGUMENT", `"${role}" is no role: reader, loader or admin`);
}

function roleFrom(role: wire.Role): Role {
  const [found] = Object.entries(roles).find(([, value]) => value === role) ?? [];
  if (found !== undefined) return found as Role;
  throw clientError("UNEXPECTED_MESSAGE", `the driver knows a role, ${role}, that this client does not`);
}

function duration(name: string, milliseconds: number): Duration {
  return durationFromMs(Number(wholeNumber(name, milliseconds)));
}

function tokenFrom(answer: wire.TokenInfo | undefined): TokenInfo {
  const info = required(answer);
  const { id, name, role, scope, createdBy, key } = info;
  return {
    ...{ id, name, role: roleFrom(role), scope: scope && scopeFrom(scope), createdBy, key },
    createTime: dateFrom(info.createTime),
    rotateTime: dateFrom(info.rotateTime),
    expireTime: dateFrom(info.expireTime),
    previousExpireTime: dateFrom(info.previousExpireTime),
    lastUseTime: dateFrom(info.lastUseTime),
    previousLastUseTime: dateFrom(info.previousLastUseTime),
    revokeTime: dateFrom(info.revokeTime),
  };
}
