import { create } from "@bufbuild/protobuf";
import { seenOperation } from "../../access/seen-operation.ts";
import { DriverError } from "../../errors/driver-error.ts";
import {
  CancelOperationResponseSchema,
  GetOperationResponseSchema,
  ListOperationsResponseSchema,
  OperationService,
} from "../../gen/drover/v1/operation_service_pb.js";
import type { LoadService } from "../../loading/model.ts";
import type { OperationSnapshot, Operations } from "../../operations/model.ts";
import { fromOperation, toOperationKind, toOperationState } from "../mapping/operations.ts";
import { pageSize } from "../mapping/pages.ts";
import { type BoundMethod, bindService } from "../service.ts";

/** Answers while the driver stops, too: somebody waits for what still runs. */
export function operationService(
  operations: Operations,
  loads: Pick<LoadService, "others" | "cancelForAll">,
): readonly BoundMethod[] {
  return bindService(
    OperationService,
    {
      roles: { listOperations: "reader", getOperation: "reader", cancelOperation: "reader" },
      work: [],
    },
    {
      listOperations: (request, { access }) => {
        const seen = (operation: OperationSnapshot) => seenOperation(operation, access);
        const { operations: found, nextPageToken } = operations.list({
          pageSize: pageSize(request.pageSize, { fallback: 50, max: 1_000 }),
          pageToken: request.pageToken,
          kinds: request.kinds.map(toOperationKind).filter((kind) => kind !== undefined),
          states: request.states.map(toOperationState).filter((state) => state !== undefined),
          labels: request.labels,
          dataset: request.dataset,
          asker: access,
          seen,
        });
        return create(ListOperationsResponseSchema, {
          operations: found.map((operation) => fromOperation(seen(operation))),
          nextPageToken,
        });
      },
      getOperation: async ({ id }, { access }) => {
        // Of an earlier process, whose history may not have been read yet.
        await operations.recall(id);
        return create(GetOperationResponseSchema, {
          operation: fromOperation(seenOperation(operations.get(id, access), access)),
        });
      },
      cancelOperation: async ({ id, everybody }, { principal, requestedBy, access }) => {
        await operations.recall(id);
        operations.get(id, access);
        if (everybody && access.role !== "admin")
          throw new DriverError("ACCESS_DENIED", "only an administrator cancels others' operations: `everybody`", {
            metadata: { needed: "admin", role: access.role, principal },
          });
        const whose = everybody ? "the operation and all that shared its work" : "the operation";
        const reason = new DriverError("CANCELLED", `${requestedBy} cancelled ${whose}`, {
          metadata: { operation: id, principal },
        });
        const others = everybody ? 0 : loads.others(id);
        if (everybody) await loads.cancelForAll(id, reason);
        const operation = await operations.cancel(id, reason);
        return create(CancelOperationResponseSchema, {
          operation: fromOperation(seenOperation(operation, access)),
          others,
        });
      },
    },
  );
}
