import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";

export function dateFrom(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp && timestampDate(timestamp);
}
