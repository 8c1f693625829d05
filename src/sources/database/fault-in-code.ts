import { DriverError } from "../../errors/driver-error.ts";

/**
 * The error that a mistake in code means, ours or a client library's; undefined for any other. No server and no network is to blame for it,
 * and another try ends alike.
 */
export function faultInCode(
  error: Error,
  { name, password }: { readonly name: string; readonly password: string | undefined },
): DriverError | undefined {
  // Not RangeError: bytes that are none of the protocol make clients read beyond their buffers.
  if (![TypeError, ReferenceError, SyntaxError].some((kind) => error instanceof kind)) return undefined;
  return new DriverError("INTERNAL", `${name}: an unexpected error`, {
    metadata: { connection: name },
    // It is logged, so it must not hold the password.
    cause: password && `${error.message}${error.stack}`.includes(password) ? undefined : error,
  });
}
