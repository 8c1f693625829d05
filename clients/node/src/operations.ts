import { required } from "./checks.ts";
import { kindToWire, operationFrom, stateToWire } from "./from-wire.ts";
import { OperationService } from "./gen/drover/v1/operation_service_pb.js";
import type { Labels, Operation, OperationKind, OperationState } from "./model.ts";
import { maxPageSize, paged } from "./pages.ts";
import type { CallOptions, Transport } from "./transport/transport.ts";

/** Which operations are listed, newest first. */
export interface OperationListOptions extends CallOptions {
  readonly kinds?: readonly OperationKind[] | undefined;
  readonly states?: readonly OperationState[] | undefined;
  readonly labels?: Labels | undefined;
  readonly dataset?: string | undefined;
  /** At most this many. Default: all. */
  readonly limit?: number | undefined;
}

export interface CancelOptions extends CallOptions {
  /** Whether to cancel all operations that share its load, too, whoever asked for them. */
  readonly everybody?: boolean | undefined;
}

/** A cancelled operation. */
export interface CancelAnswer extends Operation {
  /** How many operations shared its load, which goes on for them. */
  readonly others: number;
}

export function listOperations(
  transport: Transport,
  options: OperationListOptions,
): AsyncGenerator<Operation, void, undefined> {
  const { kinds = [], states = [], labels = {}, dataset = "", limit } = options;
  return paged(async (pageToken) => {
    const request = {
      kinds: kinds.map(kindToWire),
      states: states.map(stateToWire),
      labels: { ...labels },
      dataset,
      pageSize: Math.min(limit ?? maxPageSize, maxPageSize),
      pageToken,
    };
    const response = await transport.unary(OperationService.method.listOperations, request, options);
    return { items: response.operations.map(operationFrom), nextPageToken: response.nextPageToken };
  }, limit);
}

export async function operation(transport: Transport, id: string, options: CallOptions): Promise<Operation> {
  const answer = await transport.unary(OperationService.method.getOperation, { id }, options);
  return operationFrom(required(answer.operation));
}

export async function cancel(transport: Transport, id: string, options: CancelOptions): Promise<CancelAnswer> {
  const request = { id, everybody: options.everybody === true };
  const response = await transport.unary(OperationService.method.cancelOperation, request, options);
  return { ...operationFrom(required(response.operation)), others: response.others };
}
