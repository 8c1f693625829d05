import { create } from "@bufbuild/protobuf";
import type { Access } from "../../access/model.ts";
import type { SeenDataset } from "../../access/scoped-datasets.ts";
import { seenOperation } from "../../access/seen-operation.ts";
import type { RejectedRow } from "../../engine/file-scan.ts";
import {
  type LoadCompleted,
  LoadCompletedSchema,
  type WatchLoadResponse,
} from "../../gen/drover/v1/dataset_service_pb.js";
import type { OperationEvent, OperationSnapshot } from "../../operations/model.ts";
import { fromDataset, fromRejectedRow } from "./datasets.ts";
import { fromOperation, fromProgress } from "./operations.ts";

type DatasetOf = (operation: OperationSnapshot) => SeenDataset | undefined;

/** An event of a load as the contract carries it. */
export function fromLoadEvent(event: OperationEvent, access: Access, datasetOf: DatasetOf): WatchLoadResponse {
  return { $typeName: "drover.v1.WatchLoadResponse", event: eventOf(event, access, datasetOf) };
}

function eventOf(event: OperationEvent, access: Access, datasetOf: DatasetOf): WatchLoadResponse["event"] {
  switch (event.type) {
    case "state": {
      const operation = fromOperation(seenOperation(event.operation, access));
      return { case: "accepted", value: { $typeName: "drover.v1.LoadAccepted", operation } };
    }
    case "progress":
      return { case: "progress", value: fromProgress(event.progress) };
    case "warning":
      return { case: "warning", value: { $typeName: "drover.v1.LoadWarning", message: event.message } };
    case "ended":
      return {
        case: "completed",
        value: completed(seenOperation(event.operation, access), datasetOf(event.operation)),
      };
  }
}

function completed(operation: OperationSnapshot, dataset: SeenDataset | undefined): LoadCompleted {
  const { rejectedRows = 0, rejectedSamples = [], unchanged = false } = (operation.outcome ?? {}) as LoadOutcome;
  return create(LoadCompletedSchema, {
    operation: fromOperation(operation),
    ...(dataset && { dataset: fromDataset(dataset, { columns: true }) }),
    rejectedRows: BigInt(rejectedRows),
    rejectedSamples: rejectedSamples.map(fromRejectedRow),
    unchanged,
  });
}

/** What a load's outcome says beside its version. */
interface LoadOutcome {
  readonly rejectedRows?: number;
  readonly rejectedSamples?: readonly RejectedRow[];
  readonly unchanged?: boolean;
}
