import { dirname } from "node:path";
import type { AnnouncedUpload } from "../catalog/uploads.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { SourceKind, SourceSpec } from "../sources/connector.ts";
import { chooseKind } from "../sources/kinds.ts";
import type { Uploads } from "../uploads/model.ts";
import type { NamedSource, ResolvedSource, ResolveOptions } from "./model.ts";

export interface UploadParts {
  readonly kinds: readonly SourceKind[];
  readonly uploads: Pick<Uploads, "use" | "useBeginning">;
}

/** What a preview waits for where the file is still being sent. */
const BEGINNING_BYTES = 64 * 1024;

/** A file that a client has sent: its kind is the one that is given now, was given with it, or is told by its name. */
export function resolveUpload(
  spec: SourceSpec,
  upload: AnnouncedUpload,
  parts: UploadParts,
  options: ResolveOptions,
): ResolvedSource {
  if (spec.connection) throw new DriverError("INVALID_SOURCE", "an upload has no connection");
  const { id, name, format } = upload;
  const kind = chooseKind(parts.kinds, { format: spec.format || format || undefined, uri: name });
  if (kind.connectionOptions !== undefined)
    throw new DriverError("INVALID_SOURCE", `an upload is no ${kind.kind}`, { metadata: { upload: id } });
  kind.check(spec.options);
  const { connection: _, ...rest } = spec;
  const named: NamedSource = { ...rest, format: kind.kind };
  const file = (open: { readonly signal: AbortSignal }) =>
    options.beginning && !kind.wholeFiles
      ? parts.uploads.useBeginning(id, BEGINNING_BYTES, open)
      : parts.uploads.use(id);
  return {
    kind,
    named,
    arrived: file,
    open: async (open) => {
      const { path, finished } = await file(open);
      const { format: _format, ...given } = named;
      // Whoever may load may read what was sent, wherever the driver keeps it.
      return {
        ...given,
        kind: kind.kind,
        uri: path,
        roots: [dirname(path)],
        shownAs: name || spec.uri,
        arriving: !finished,
      };
    },
  };
}
