import { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.js";
import { explain } from "./grpc-client.ts";

/** The reason that a call fails with, over any protocol, and what it says beside it; none where it succeeds. */
export async function reasonOf(
  call: Promise<unknown>,
): Promise<{ readonly reason?: string; readonly metadata: Readonly<Record<string, string>> }> {
  try {
    await call;
    return { metadata: {} };
  } catch (error) {
    if (!(error instanceof ConnectError)) {
      const { reason, info } = explain(error);
      if (reason === undefined) throw error;
      return { reason, metadata: info };
    }
    const [found] = error.findDetails(ErrorInfoSchema);
    if (found === undefined) throw error;
    return { reason: found.reason, metadata: found.metadata };
  }
}
