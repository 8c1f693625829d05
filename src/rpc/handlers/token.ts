import { create } from "@bufbuild/protobuf";
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import type { Tokens } from "../../access/tokens.ts";
import {
  CreateTokenResponseSchema,
  ListTokensResponseSchema,
  RevokeTokenResponseSchema,
  RotateTokenResponseSchema,
  TokenService,
} from "../../gen/drover/v1/token_service_pb.js";
import { invalidField } from "../mapping/invalid-field.ts";
import { pageOf, pageSize } from "../mapping/pages.ts";
import { toScope } from "../mapping/scopes.ts";
import { fromTokenInfo, toRole } from "../mapping/tokens.ts";
import { type BoundMethod, bindService } from "../service.ts";

const PAGE = { fallback: 100, max: 1_000 };
const DEFAULT_GRACE_MS = 3_600_000;
const MAX_MS = 3_653 * 86_400_000;

export function tokenService(tokens: Tokens): readonly BoundMethod[] {
  return bindService(
    TokenService,
    {
      roles: { createToken: "admin", listTokens: "admin", rotateToken: "admin", revokeToken: "admin" },
      work: [],
    },
    {
      createToken: async ({ name, role: asked, scope: wanted, lifetime }, call) => {
        const role = toRole(asked);
        const scope = wanted && toScope(wanted, "scope");
        // Who may make tokens could give himself what this one does not see.
        if (role === "admin" && scope !== undefined) throw invalidField("scope", "an administrator's token has none");
        const draft = { name, role, scope, lifetimeMs: toLifetime(lifetime), createdBy: call.requestedBy };
        const { info, text } = await tokens.create(draft);
        return create(CreateTokenResponseSchema, { info: fromTokenInfo(info), token: text });
      },
      listTokens: async ({ pageSize: asked, pageToken, showRevoked }) => {
        const all = (await tokens.list())
          .filter(({ revokeTime }) => showRevoked || revokeTime === undefined)
          .map((info) => ({ key: `${info.name.toLowerCase()} ${info.id}`, info }))
          .sort((left, right) => (left.key < right.key ? -1 : 1));
        const { items, nextPageToken } = pageOf(all, ({ key }) => key, {
          size: pageSize(asked, PAGE),
          token: pageToken,
          request: ["tokens", showRevoked],
        });
        return create(ListTokensResponseSchema, {
          tokens: items.map(({ info }) => fromTokenInfo(info)),
          nextPageToken,
        });
      },
      rotateToken: async ({ name, grace, lifetime }) => {
        const graceMs = grace === undefined ? DEFAULT_GRACE_MS : milliseconds(grace, "grace", 0);
        const { info, text } = await tokens.rotate(name, { graceMs, lifetimeMs: toLifetime(lifetime) });
        return create(RotateTokenResponseSchema, { info: fromTokenInfo(info), token: text });
      },
      revokeToken: async ({ name }) =>
        create(RevokeTokenResponseSchema, { info: fromTokenInfo(await tokens.revoke(name)) }),
    },
  );
}

function toLifetime(lifetime: Duration | undefined): number | undefined {
  return lifetime && milliseconds(lifetime, "lifetime", 1);
}

function milliseconds(duration: Duration, field: string, least: number): number {
  const value = durationMs(duration);
  if (value >= least && value <= MAX_MS) return Math.round(value);
  throw invalidField(field, least > 0 ? "must be more than none and at most 10 years" : "must be none to 10 years");
}
