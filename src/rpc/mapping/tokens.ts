import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Role } from "../../access/model.ts";
import type { TokenInfo } from "../../access/tokens.ts";
import {
  Role as ProtoRole,
  type TokenInfo as ProtoTokenInfo,
  TokenInfoSchema,
} from "../../gen/drover/v1/token_service_pb.js";
import { wordOf } from "./enums.ts";
import { fromScope } from "./scopes.ts";

const roles: Readonly<Record<number, Role>> = {
  [ProtoRole.READER]: "reader",
  [ProtoRole.LOADER]: "loader",
  [ProtoRole.ADMIN]: "admin",
};

const protoRoles: Readonly<Record<Role, ProtoRole>> = {
  reader: ProtoRole.READER,
  loader: ProtoRole.LOADER,
  admin: ProtoRole.ADMIN,
};

export function toRole(role: ProtoRole): Role {
  return wordOf(roles, role, "role");
}

export function fromTokenInfo({ role, scope, ...info }: TokenInfo): ProtoTokenInfo {
  const { id, name, createdBy, key } = info;
  return create(TokenInfoSchema, {
    ...{ id, name, createdBy, key, role: protoRoles[role] },
    ...(scope && { scope: fromScope(scope) }),
    ...timestamps({
      createTime: info.createTime,
      rotateTime: info.rotateTime,
      expireTime: info.expireTime,
      previousExpireTime: info.previousExpireTime,
      lastUseTime: info.lastUseTime,
      previousLastUseTime: info.previousLastUseTime,
      revokeTime: info.revokeTime,
    }),
  });
}

function timestamps<K extends string>(times: Readonly<Record<K, Date | undefined>>) {
  const known = Object.entries<Date | undefined>(times).filter(
    (entry): entry is [string, Date] => entry[1] !== undefined,
  );
  return Object.fromEntries(known.map(([name, time]) => [name, timestampFromDate(time)]));
}
