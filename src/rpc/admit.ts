import { createAccess } from "../access/access.ts";
import { type Access, isAtLeast, type Role } from "../access/model.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { ActiveCall } from "./call.ts";
import { readEndUser } from "./end-user.ts";
import type { BoundMethod } from "./service.ts";

/** Gives a call what its token and its headers let it do and see. Throws ACCESS_DENIED where its method needs more. */
export function admit({ path }: BoundMethod, needed: Role, call: ActiveCall): void {
  const { bearer, endUserHeader } = call;
  if (bearer === undefined) throw new Error(`${path} came without a token`);
  call.access = createAccess(bearer, { endUser: readEndUser(endUserHeader), scope: undefined });
  if (!isAtLeast(call.access.role, needed)) throw denied(path, needed, call.access);
}

function denied(path: string, needed: Role, { principal, role }: Access): DriverError {
  return new DriverError("ACCESS_DENIED", `${path} needs the role ${needed}; ${principal} has the role ${role}`, {
    metadata: { method: path, needed, role, principal },
  });
}
