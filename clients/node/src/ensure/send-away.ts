import { DriverService } from "../gen/drover/v1/driver_service_pb.js";
import type { Transport } from "../transport/transport.ts";

const drainCallTimeoutMs = 5_000;

/** Asks a driver to leave its profile to another one: it finishes what runs, and takes no more. */
export async function sendAway(channel: Transport, why: string): Promise<void> {
  await channel.unary(
    DriverService.method.drain,
    { reason: `it is replaced: ${why}` },
    { timeoutMs: drainCallTimeoutMs },
  );
}
