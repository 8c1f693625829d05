/** The gRPC status codes (https://grpc.io/docs/guides/status-codes/); written out, so that a browser needs no gRPC for them. */
export const status = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** The name of a code; `UNKNOWN` for one that there is not. */
export function statusName(code: number): string {
  return Object.entries(status).find(([, value]) => value === code)?.[0] ?? "UNKNOWN";
}
