import { createAccess } from "../../src/access/access.ts";
import { CompiledScope } from "../../src/access/compiled-scope.ts";
import type { Access, Scope } from "../../src/access/model.ts";

/** What the holder of the token file's token may see. */
export const EVERYTHING: Access = createAccess(
  { principal: "owner", tokenId: undefined, role: "admin", scope: undefined },
  { endUser: undefined, scope: undefined },
);

/** What a reader's token with a scope lets see. */
export function accessWith(scope: Partial<Scope>): Access {
  const whole = { datasets: ["*"], rows: [], hidden: [], ...scope };
  return createAccess(
    { principal: "analysts", tokenId: "token-1", role: "reader", scope: new CompiledScope(whole) },
    { endUser: undefined, scope: undefined },
  );
}
