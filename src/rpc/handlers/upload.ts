import { create } from "@bufbuild/protobuf";
import {
  DeleteUploadResponseSchema,
  GetUploadResponseSchema,
  ListUploadsResponseSchema,
  type UploadFileRequest,
  UploadFileResponseSchema,
  UploadService,
} from "../../gen/drover/v1/upload_service_pb.js";
import type { UploadPart, Uploads } from "../../uploads/model.ts";
import { invalidField } from "../mapping/invalid-field.ts";
import { pageOf, pageSize } from "../mapping/pages.ts";
import { fromUpload } from "../mapping/uploads.ts";
import { type BoundMethod, bindService } from "../service.ts";

const PAGE = { fallback: 100, max: 1_000 };

export function uploadService(uploads: Pick<Uploads, "of">): readonly BoundMethod[] {
  return bindService(
    UploadService,
    {
      roles: { uploadFile: "loader", getUpload: "loader", listUploads: "loader", deleteUpload: "loader" },
      sources: ["uploadFile", "getUpload", "listUploads", "deleteUpload"],
      work: ["uploadFile", "deleteUpload"],
    },
    {
      uploadFile: async (requests, call) => {
        const messages = requests[Symbol.asyncIterator]();
        const { value: first, done } = await messages.next();
        if (done || first.part.case !== "begin") throw invalidField("begin", "must come first");
        const { id, name, format, size, sha256, offset } = first.part.value;
        const begin = {
          ...{ id, name, format, offset: Number(offset), requestedBy: call.requestedBy },
          size: size === undefined ? undefined : Number(size),
          sha256: sha256 || undefined,
        };
        const upload = await uploads
          .of(call.access)
          .receive(begin, partsOf({ [Symbol.asyncIterator]: () => messages }));
        return create(UploadFileResponseSchema, { upload: fromUpload(upload) });
      },
      getUpload: async ({ id }, { access }) =>
        create(GetUploadResponseSchema, { upload: fromUpload(await uploads.of(access).get(id)) }),
      listUploads: async ({ pageSize: asked, pageToken }, { access }) => {
        const { items, nextPageToken } = pageOf(await uploads.of(access).list(), ({ id }) => id, {
          size: pageSize(asked, PAGE),
          token: pageToken,
          request: ["uploads"],
        });
        return create(ListUploadsResponseSchema, { uploads: items.map(fromUpload), nextPageToken });
      },
      deleteUpload: async ({ id }, { access }) => {
        await uploads.of(access).remove(id);
        return create(DeleteUploadResponseSchema, {});
      },
    },
  );
}

async function* partsOf(requests: AsyncIterable<UploadFileRequest>): AsyncGenerator<UploadPart> {
  for await (const { part } of requests) {
    switch (part.case) {
      case "bytes":
        yield { type: "bytes", bytes: part.value };
        break;
      case "end":
        yield { type: "end", sha256: part.value.sha256 || undefined };
        break;
      default:
        throw invalidField("begin", "may come only once");
    }
  }
}
