import { setTimeout } from "node:timers/promises";
import type {
  DatasetInfo,
  DatasetStore,
  PinnedVersion,
  PublishOptions,
  StagedVersion,
  VersionContent,
} from "../../datasets/model.ts";
import { DriverError } from "../../errors/driver-error.ts";

/** What a staged folder becomes on top of the version that is current now. */
export interface Extension {
  readonly content: VersionContent;
  readonly labels?: Readonly<Record<string, string>>;
  readonly append?: NonNullable<PublishOptions["append"]>;
}

/** A version to build on; undefined where there is no dataset. */
export type Base = PinnedVersion | undefined;

const MAX_BACKOFF_MS = 20;

/**
 * Publishes a staged folder on top of whatever version is current: `extend` says what it becomes on that one, and is asked again
 * where another version was published meanwhile. Its undefined answer means that there is nothing to publish any more.
 */
export async function extendVersion(
  datasets: DatasetStore,
  dataset: string,
  staged: StagedVersion,
  extend: (base: Base) => Promise<Extension | undefined>,
  { signal }: { readonly signal: AbortSignal },
): Promise<DatasetInfo | undefined> {
  let uid: string | undefined;
  for (;;) {
    signal.throwIfAborted();
    await using base = await pinIfThere(datasets, dataset, { signal });
    // Segments that were kept of a dataset which is gone have the names of those of the one that took its place.
    if (uid !== undefined && uid !== base?.place.uid) throw replaced(dataset);
    uid = base?.place.uid;
    const extension = await extend(base);
    if (extension === undefined) return undefined;
    const { content, labels = {}, append } = extension;
    signal.throwIfAborted();
    try {
      return await staged.publish(content, labels, { basedOn: base?.place ?? "nothing", ...(append && { append }) });
    } catch (error) {
      if (!(error instanceof DriverError) || error.reason !== "VERSION_CONFLICT") throw error;
    }
    // Whoever was faster may be about to publish again.
    await setTimeout(Math.random() * MAX_BACKOFF_MS, undefined, { signal });
  }
}

export async function pinIfThere(
  datasets: DatasetStore,
  dataset: string,
  options: { readonly signal: AbortSignal },
): Promise<Base> {
  try {
    return await datasets.pin(dataset, 0, options);
  } catch (error) {
    if (error instanceof DriverError && error.reason === "DATASET_NOT_FOUND") return undefined;
    throw error;
  }
}

function replaced(dataset: string): DriverError {
  return new DriverError("DATASET_NOT_FOUND", `"${dataset}" was deleted and made anew meanwhile`, {
    metadata: { dataset },
  });
}
