import { type Bearer, createAccess } from "../access/access.ts";
import { type Access, isAtLeast, type Role } from "../access/model.ts";
import { requireUnrestricted } from "../access/require.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { ActiveCall } from "./call.ts";
import { END_USER_HEADER, readEndUser } from "./end-user.ts";
import { readScope, SCOPE_HEADER } from "./mapping/scopes.ts";
import type { BoundMethod } from "./service.ts";

/** Gives a call what its token and its headers let it do and see. Throws ACCESS_DENIED where its method needs more, or reads sources past what the token holds back. */
export function admit({ path, sources }: BoundMethod, needed: Role, call: ActiveCall): void {
  const { bearer } = call;
  if (bearer === undefined) throw new Error(`${path} came without a token`);
  call.access = accessOf(bearer, call);
  if (!isAtLeast(call.access.role, needed)) throw denied(path, needed, call.access);
  if (sources) requireUnrestricted(call.access);
}

/** What a token lets do and see, less what the headers give up. Throws INVALID_REQUEST where they can't be read. */
export function accessOf(
  bearer: Bearer,
  { endUserHeader, scopeHeader }: Pick<ActiveCall, "endUserHeader" | "scopeHeader">,
): Access {
  const narrowing = { endUser: readEndUser(endUserHeader), scope: readScope(scopeHeader) };
  if (narrowing.scope !== undefined && narrowing.endUser === undefined)
    throw new DriverError("INVALID_REQUEST", `${SCOPE_HEADER} comes without ${END_USER_HEADER}, for whom it is`, {
      metadata: { header: SCOPE_HEADER },
    });
  return createAccess(bearer, narrowing);
}

function denied(path: string, needed: Role, { principal, role }: Access): DriverError {
  return new DriverError("ACCESS_DENIED", `${path} needs the role ${needed}; ${principal} has the role ${role}`, {
    metadata: { method: path, needed, role, principal },
  });
}
