import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Upload, UploadSchema } from "../../gen/drover/v1/upload_service_pb.js";
import type { UploadInfo } from "../../uploads/model.ts";

export function fromUpload(upload: UploadInfo): Upload {
  const { id, uri, name, format, finished, receivedBytes, size, sha256 = "", requestedBy } = upload;
  return create(UploadSchema, {
    ...{ id, uri, name: name.toWellFormed(), format, finished, sha256, requestedBy },
    receivedBytes: BigInt(receivedBytes),
    ...(size !== undefined && { size: BigInt(size) }),
    createTime: timestampFromDate(upload.createTime),
    useTime: timestampFromDate(upload.useTime),
    ...(upload.finishTime && { finishTime: timestampFromDate(upload.finishTime) }),
  });
}
