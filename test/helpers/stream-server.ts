import { create, createFileRegistry, type DescMethodClientStreaming, type Message } from "@bufbuild/protobuf";
import type { GenService } from "@bufbuild/protobuf/codegenv2";
import {
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { type DatasetService, file_drover_v1_dataset_service } from "../../src/gen/drover/v1/dataset_service_pb.js";
import { Activity } from "../../src/lifecycle/activity.ts";
import { Readiness } from "../../src/lifecycle/readiness.ts";
import { Logger } from "../../src/observability/logger.ts";
import { Metrics } from "../../src/observability/metrics.ts";
import { openRpcServer, type RpcServer } from "../../src/rpc/rpc-server.ts";
import { bindService, type ClientStreamHandler } from "../../src/rpc/service.ts";

type Input = typeof DatasetService.method.loadDataset.input;
type Output = typeof DatasetService.method.deleteDataset.output;

const file = create(FileDescriptorProtoSchema, {
  name: "drover/test/collect.proto",
  package: "drover.test",
  syntax: "proto3",
  dependency: ["drover/v1/dataset_service.proto"],
  messageType: [
    {
      name: "CollectResponse",
      field: [
        { name: "taken", jsonName: "taken", number: 1, type: Type.UINT32, label: Label.OPTIONAL },
        { name: "last", jsonName: "last", number: 2, type: Type.STRING, label: Label.OPTIONAL },
      ],
    },
  ],
  service: [
    {
      name: "CollectService",
      method: [
        {
          name: "Collect",
          inputType: ".drover.v1.LoadDatasetRequest",
          outputType: ".drover.test.CollectResponse",
          clientStreaming: true,
        },
      ],
    },
  ],
});
const registry = createFileRegistry(file, () => file_drover_v1_dataset_service);
const service = registry.getService("drover.test.CollectService");
const response = registry.getMessage("drover.test.CollectResponse");
if (service === undefined || response === undefined) throw new Error("the test's service can't be made");

/** A service whose one method takes a stream of messages with rules and room for bytes. */
export const CollectService = service as unknown as GenService<{
  collect: { methodKind: "client_streaming"; input: Input; output: Output };
}>;
export const collectMethod = CollectService.method.collect as DescMethodClientStreaming<Input, Output>;

export interface Collected {
  readonly taken: number;
  readonly last: string;
}

export function collected({ taken, last }: Collected): Message {
  return create(response as NonNullable<typeof response>, { taken, last } as never);
}

export interface StreamServer extends AsyncDisposable {
  readonly address: string;
  readonly token: string;
  readonly rpc: RpcServer;
  readonly readiness: Readiness;
}

/** The two stacks with that service, whose handler may change from test to test. */
export async function startStreamServer(
  handler: () => ClientStreamHandler<Message, Message>,
  limits: { readonly maxRequestBytes: number },
): Promise<StreamServer> {
  const readiness = new Readiness();
  readiness.become("serving");
  const token = "a-token";
  const rpc = await openRpcServer({
    ...{ listen: "127.0.0.1:0", socket: undefined, allowPlainRemote: false, tls: undefined, origins: [] },
    ...{
      token,
      findToken: () => undefined,
      instanceId: "instance",
      pages: new Map(),
      activity: new Activity(),
      readiness,
    },
    limits: { ...limits, maxStreams: 100, maxConnections: 100 },
    methods: bindService(
      CollectService,
      { roles: { collect: "reader" }, work: ["collect"] },
      { collect: (requests, call) => handler()(requests, call) as never },
    ),
    metrics: new Metrics(),
    logger: new Logger({ level: "silent", format: "json" }),
  });
  await rpc.listen();
  return {
    ...{ address: rpc.address, token, rpc, readiness },
    [Symbol.asyncDispose]: () => rpc[Symbol.asyncDispose](),
  };
}
