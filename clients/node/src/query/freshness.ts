import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { wholeNumber } from "../checks.ts";
import { clientError } from "../errors.ts";
import type { Freshness } from "../gen/drover/v1/refresh_pb.js";

/** How old an answer may be. */
export interface FreshnessOptions {
  /** A current version that is older is refreshed first, and the question waits for that. Default: any age will do. */
  readonly maxAgeMs?: number | undefined;
  /** With `maxAgeMs`: answers from the version that there is, at once, while the refresh runs. */
  readonly allowStale?: boolean | undefined;
}

/** As the contract says it. Throws INVALID_ARGUMENT. */
export function freshnessToWire({ maxAgeMs, allowStale = false }: FreshnessOptions): Freshness | undefined {
  if (maxAgeMs === undefined) {
    if (allowStale) throw clientError("INVALID_ARGUMENT", "allowStale goes with maxAgeMs");
    return undefined;
  }
  const maxAge = durationFromMs(Number(wholeNumber("maxAgeMs", maxAgeMs)));
  return { $typeName: "drover.v1.Freshness", maxAge, allowStale };
}
