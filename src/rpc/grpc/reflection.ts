import { create, fromBinary, type Message } from "@bufbuild/protobuf";
import type { handleBidiStreamingCall, MethodDefinition } from "@grpc/grpc-js";
import { DriverError } from "../../errors/driver-error.ts";
import {
  ServerReflection,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { decodeMessage } from "../decode-message.ts";
import { type BoundMethod, methodPath } from "../service.ts";
import { requestIdOf, responseMetadata, toGrpcStatus } from "./call-guard.ts";
import { serializer } from "./method-definitions.ts";

interface ReflectionMethod {
  readonly definition: MethodDefinition<Buffer, Message>;
  readonly handler: handleBidiStreamingCall<Buffer, Message>;
}

/** grpc.reflection.v1 over the descriptors that the code was generated with; only gRPC can carry its two-way stream. */
export function reflectionMethods(methods: readonly BoundMethod[], instanceId: string): readonly ReflectionMethod[] {
  const { serverReflectionInfo } = ServerReflection.method;
  return [
    {
      definition: {
        path: methodPath(serverReflectionInfo),
        requestStream: true,
        responseStream: true,
        requestSerialize: (bytes) => bytes,
        requestDeserialize: (bytes) => bytes,
        responseSerialize: serializer(ServerReflectionResponseSchema),
        responseDeserialize: (bytes) => fromBinary(ServerReflectionResponseSchema, bytes),
      },
      handler: reflect(methods, instanceId),
    },
  ];
}

function reflect(methods: readonly BoundMethod[], instanceId: string): handleBidiStreamingCall<Buffer, Message> {
  return (call) => {
    const metadata = () => responseMetadata(instanceId, requestIdOf(call.metadata));
    call.sendMetadata(metadata());
    answerAll(call, methods).then(
      () => call.end(),
      (error: unknown) => {
        if (!call.cancelled) call.emit("error", toGrpcStatus(DriverError.from(error), metadata()));
      },
    );
  };
}

async function answerAll(
  call: Parameters<handleBidiStreamingCall<Buffer, Message>>[0],
  methods: readonly BoundMethod[],
): Promise<void> {
  const { answerReflection, createContract } = await import("./reflection-answers.ts");
  const contract = createContract([...new Set([...methods.map(({ method }) => method.parent), ServerReflection])]);
  for await (const bytes of call) {
    const request = decodeMessage(ServerReflectionRequestSchema, "proto", bytes as Buffer);
    const messageResponse = answerReflection(contract, request.messageRequest);
    const response = create(ServerReflectionResponseSchema, {
      validHost: request.host,
      originalRequest: request,
      messageResponse,
    });
    // One answer at a time: the stream of a slow reader holds one.
    await new Promise<void>((resolve) => {
      call.once("cancelled", resolve);
      call.write(response, () => {
        call.off("cancelled", resolve);
        resolve();
      });
    });
  }
}
