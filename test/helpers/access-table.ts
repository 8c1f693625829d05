import { type AttachResponse, DriverService } from "../../src/gen/drover/v1/driver_service_pb.js";
import { type Row, row, seen } from "./access-expectations.ts";
import { keeping } from "./access-keeping.ts";
import { reads } from "./access-reads.ts";
import { OTHERS } from "./access-scene.ts";
import { writes } from "./access-writes.ts";

const { proveIdentity, getDriver, drain, attach, stop } = DriverService.method;

/** Every method, in the order in which they are tried: what is read is changed behind that, and the driver ends last. */
export const table: readonly Row[] = [
  ...reads,
  ...keeping,
  ...writes,
  row(proveIdentity, "anyone", { about: seen, request: () => ({ nonce: Buffer.alloc(16) }) }),
  row(getDriver, "reader", { about: seen, request: () => ({}), shows: ["others"] }),
  row(drain, "admin", {
    about: seen,
    before: (_, scene) => scene.keepBusy(),
    request: () => ({ timeout: { seconds: 600n } }),
  }),
  row(attach, "reader", {
    about: seen,
    request: ({ caller }) => ({ clientName: caller.role === "admin" ? OTHERS : caller.name }),
    isLast: (message) => (message as AttachResponse).event.case === "draining",
    shows: ["sales", "ledgerName"],
  }),
  row(stop, "admin", { about: seen, request: () => ({}) }),
];
