import type { Message } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  type FrameBatch,
  FrameBatchSchema,
  type RunQueryResponse,
  RunQueryResponseSchema,
} from "../../gen/drover/v1/query_service_pb.js";
import { serializer } from "./method-definitions.ts";

const { frameBatch } = RunQueryResponseSchema.field;
const fields = FrameBatchSchema.field;

/**
 * Encodes RunQuery's responses. `toBinary` grows a buffer around an Arrow batch and copies it out again: 0.6 to 1.0 ms for
 * 1 MB, where its one copy behind a head takes 0.2 to 0.3 ms. Everything else is left to `toBinary`.
 */
export function runQuerySerializer(): (message: Message) => Buffer {
  const serialize = serializer(RunQueryResponseSchema);
  return (message) => {
    const { event } = message as RunQueryResponse;
    const isArrow = event.case === "frameBatch" && event.value.arrow.length > 0 && event.value.rows.length === 0;
    return isArrow ? serializeArrowBatch(event.value) : serialize(message);
  };
}

function serializeArrowBatch({ frameId, seq, arrow }: FrameBatch): Buffer {
  const inner = new BinaryWriter()
    .tag(fields.frameId.number, WireType.Varint)
    .int64(frameId)
    .tag(fields.seq.number, WireType.Varint)
    .int64(seq)
    .tag(fields.arrow.number, WireType.LengthDelimited)
    .uint32(arrow.length)
    .finish();
  const outer = new BinaryWriter()
    .tag(frameBatch.number, WireType.LengthDelimited)
    .uint32(inner.length + arrow.length)
    .finish();
  return Buffer.concat([outer, inner, arrow]);
}
