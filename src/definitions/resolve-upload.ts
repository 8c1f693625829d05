import { dirname } from "node:path";
import type { AnnouncedUpload } from "../catalog/uploads.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { ServedKinds } from "../library-sets/served-kinds.ts";
import type { SourceSpec } from "../sources/connector.ts";
import { chooseKind } from "../sources/kinds.ts";
import type { Uploads } from "../uploads/model.ts";
import { fileDefaults, meaningOf } from "./defaults.ts";
import type { NamedSource, ResolvedSource, ResolveOptions } from "./model.ts";

export interface UploadParts {
  readonly kinds: ServedKinds;
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
  const chosen = chooseKind(parts.kinds.all, { format: spec.format || format || undefined, uri: name });
  const { kind, set, defaults } = parts.kinds.serve(chosen.kind, { source: options.name });
  if (kind.connectionOptions !== undefined)
    throw new DriverError("INVALID_SOURCE", `an upload is no ${kind.kind}`, { metadata: { upload: id } });
  const given = { ...fileDefaults("", defaults), ...spec.options };
  kind.check(given);
  const { connection: _, ...rest } = spec;
  const named: NamedSource = { ...rest, format: kind.kind };
  const file = (open: { readonly signal: AbortSignal }) =>
    options.beginning && !kind.wholeFiles
      ? parts.uploads.useBeginning(id, BEGINNING_BYTES, open)
      : parts.uploads.use(id);
  return {
    ...{ kind, set, named },
    ...meaningOf(defaults),
    arrived: file,
    open: async (open) => {
      const { path, finished } = await file(open);
      const { format: _format, ...rows } = named;
      // Whoever may load may read what was sent, wherever the driver keeps it.
      return {
        ...rows,
        options: given,
        kind: kind.kind,
        uri: path,
        roots: [dirname(path)],
        shownAs: name || spec.uri,
        arriving: !finished,
      };
    },
  };
}
