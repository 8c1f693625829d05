import { Code } from "../code.ts";
import type { ReasonEntry } from "./model.ts";

/** Of uploads. */
export const uploadsReasons = {
  UPLOAD_NOT_FOUND: {
    code: Code.NOT_FOUND,
    when: "There is no upload of this id: it never was, was deleted, or was removed because nobody had used it for `uploads.retention`.",
    help: "Send the file again.",
    retryable: false,
  },
  UPLOAD_EXISTS: {
    code: Code.ALREADY_EXISTS,
    when: "Another file was sent, or is being sent, under the id that the client chose.",
    help: "Choose a new id for a new file, or delete the upload first.",
    retryable: false,
  },
  UPLOAD_BUSY: {
    code: Code.ABORTED,
    when: "Another driver of the data directory receives the file at this moment.",
    help: "Try again; a connection that was lost is noticed within seconds.",
    retryable: true,
  },
  UPLOAD_TAKEN_OVER: {
    code: Code.ABORTED,
    when: "Another call went on sending the file under the same id, or it was deleted.",
    help: "Send different files under different ids.",
    retryable: false,
  },
  UPLOAD_OFFSET: {
    code: Code.OUT_OF_RANGE,
    when: "A client goes on sending a file from another place than the one that the driver is at.",
    help: "Go on from `receivedBytes`, which the error's metadata and GetUpload say.",
    retryable: false,
  },
  UPLOAD_INCOMPLETE: {
    code: Code.FAILED_PRECONDITION,
    when: "A file is not all there: the stream ended without saying so, or has other bytes than announced, or it is to be used before its end.",
    help: "Go on sending it from `receivedBytes`, or wait for its end.",
    retryable: false,
  },
  UPLOAD_DAMAGED: {
    code: Code.DATA_LOSS,
    when: "The bytes that came do not have the SHA-256 that the client gave, or two processes wrote them at once. They were thrown away.",
    help: "Send the file again.",
    retryable: false,
  },
  UPLOAD_TOO_LARGE: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "A file is larger than the limit. What had come of it was thrown away.",
    help: "Raise `limits.maxUploadBytes`, or put the file where the driver can read it.",
    retryable: false,
  },
} as const satisfies Record<string, ReasonEntry>;
