import { DriverError } from "../../errors/driver-error.ts";
import type { Source } from "../../gen/drover/v1/types_pb.js";
import type { SourceSpec } from "../../sources/connector.ts";
import { type Uploads, uploadId } from "../../uploads/model.ts";
import type { Call } from "../call.ts";
import { invalidField } from "../mapping/invalid-field.ts";
import { toSourceSpec } from "../mapping/sources.ts";

type OwnedUploads = Pick<Uploads, "of">;

/** What a request calls a source. A text that was pasted is kept as an upload, which then is the source. */
export async function sourceSpec(
  source: Source | undefined,
  uploads: OwnedUploads,
  call: Pick<Call, "requestedBy" | "access" | "signal">,
): Promise<SourceSpec> {
  const spec = toSourceSpec(source);
  requireOwnSecrets(spec.options, call);
  const text = source?.text ?? "";
  if (text === "") {
    await requireOwnUpload(spec.uri, uploads, call);
    return spec;
  }
  if (spec.uri !== "" || spec.connection !== undefined)
    throw invalidField("source.text", "can't be given together with a URI or a connection");
  const { access, requestedBy, signal } = call;
  return { ...spec, uri: (await uploads.of(access).keepText(text, { requestedBy, signal })).uri };
}

/**
 * Throws ACCESS_DENIED where somebody else than an administrator names a secret: he could have it sent to a server of his own.
 * Stored sources and connections have theirs.
 */
export function requireOwnSecrets(options: SourceSpec["options"], { access }: Pick<Call, "access">): void {
  if (options.secret === undefined || access.role === "admin") return;
  throw new DriverError("ACCESS_DENIED", "only an administrator names secrets: use a stored source or connection", {
    metadata: { needed: "admin", role: access.role, principal: access.principal },
  });
}

/**
 * Throws UPLOAD_NOT_FOUND for an upload that is not the caller's. A stored source may name one to all who may use the source: whoever
 * stored it there could. One that is not there yet may become anybody's.
 */
export async function requireOwnUpload(
  uri: string,
  uploads: OwnedUploads,
  { access }: Pick<Call, "access">,
): Promise<void> {
  const id = uploadId(uri);
  if (id !== undefined && !access.owns(undefined)) await uploads.of(access).get(id);
}
