import { create } from "@bufbuild/protobuf";
import { requireGranted, requireWritable } from "../../access/require.ts";
import {
  type Append,
  AppendFormat,
  type AppendRowsRequest,
  AppendRowsResponseSchema,
  AppendSchema,
  type AppendStart,
  type DatasetService,
  GetAppendResponseSchema,
} from "../../gen/drover/v1/dataset_service_pb.js";
import type { AppendPart, AppendRequest, AppendService, AppendStatus } from "../../loading/append/model.ts";
import { invalidField } from "../mapping/invalid-field.ts";
import type { ServiceHandlers } from "../service.ts";

/** AppendRows and GetAppend of the DatasetService. */
export function appendHandlers(
  appends: AppendService,
): Pick<ServiceHandlers<typeof DatasetService>, "appendRows" | "getAppend"> {
  return {
    appendRows: async (requests, call) => {
      const iterator = requests[Symbol.asyncIterator]();
      const start = await first(iterator);
      requireWritable(call.access, start.dataset);
      const format = start.format === AppendFormat.ARROW ? "arrow" : "json";
      const status = await appends.append(
        { ...requestOf(start), format, requestedBy: call.requestedBy, whose: call.access },
        partsOf(iterator, format),
        {
          signal: call.signal,
          onOperation: (id) => {
            call.operationId = id;
          },
        },
      );
      return create(AppendRowsResponseSchema, { append: fromStatus(status) });
    },
    getAppend: async ({ dataset, appendId }, { access }) => {
      requireGranted(access, dataset);
      return create(GetAppendResponseSchema, { append: fromStatus(await appends.status(dataset, appendId, access)) });
    },
  };
}

async function first(requests: AsyncIterator<AppendRowsRequest>): Promise<AppendStart> {
  const { done, value } = await requests.next();
  if (!done && value.part.case === "start") return value.part.value;
  throw invalidField("start", "the first message of the stream must be `start`");
}

async function* partsOf(
  requests: AsyncIterator<AppendRowsRequest>,
  format: AppendRequest["format"],
): AsyncGenerator<AppendPart, void, undefined> {
  for (;;) {
    const { done, value } = await requests.next();
    if (done) return;
    const { part } = value;
    if (part.case === "end") yield { type: "end" };
    else if (part.case === format) yield { type: "rows", bytes: part.value };
    else throw invalidField(part.case ?? "part", `the stream is to bring rows in \`${format}\`, then its \`end\``);
  }
}

function requestOf(start: AppendStart): Omit<AppendRequest, "format" | "requestedBy" | "whose"> {
  const { dataset, appendId: id, offset, columns: names, create: columns, labels } = start;
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw invalidField("start.columns", `the column ${JSON.stringify(twice)} is named twice`);
  return { dataset, id, offset: Number(offset), names, create: columns, labels };
}

function fromStatus({ dataset, id, rows, version }: AppendStatus): Append {
  return create(AppendSchema, { dataset, appendId: id, rows: BigInt(rows), version: BigInt(version) });
}
