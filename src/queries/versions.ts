import type { Access } from "../access/model.ts";
import { findGranted } from "../access/require.ts";
import type { DatasetStore, PinnedVersion } from "../datasets/model.ts";
import type { ReadableVersion, VersionView } from "../engine/engine.ts";
import type { Plan, ScanPlan } from "../engine/plan.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { DatasetSchema } from "./schema.ts";
import { seenDamage, viewOf } from "./version-view.ts";

/** The versions that one statement reads, held open until disposed. */
export class PinnedVersions implements AsyncDisposable {
  readonly #datasets: Pick<DatasetStore, "recheck">;
  readonly #pins = new Map<string, PinnedVersion>();
  /** Of those of which not all may be seen. */
  readonly #views = new Map<string, VersionView>();
  readonly #access: Access;

  private constructor(datasets: Pick<DatasetStore, "recheck">, access: Access) {
    this.#datasets = datasets;
    this.#access = access;
  }

  /** Pins datasets at a version, or at their current ones (0), as somebody may see them; if one fails, none stays pinned. */
  static async pin(
    datasets: DatasetStore,
    wanted: readonly { readonly dataset: string; readonly version: number }[],
    { signal, access }: { readonly signal: AbortSignal; readonly access: Access },
  ): Promise<PinnedVersions> {
    const pinned = new PinnedVersions(datasets, access);
    try {
      for (const { dataset, version } of wanted) {
        const find = () => datasets.pin(dataset, version, { signal });
        const pin = await findGranted(access, dataset, find).catch((error: unknown) => {
          throw seenDamage(error, dataset, access);
        });
        pinned.#pins.set(dataset, pin);
        const restriction = access.restriction(dataset);
        if (restriction !== undefined) pinned.#views.set(dataset, viewOf(dataset, pin.manifest, restriction));
      }
      return pinned;
    } catch (error) {
      await pinned[Symbol.asyncDispose]();
      throw error;
    }
  }

  get(dataset: string): PinnedVersion {
    const pin = this.#pins.get(dataset);
    if (pin === undefined) throw new DriverError("INTERNAL", `dataset ${JSON.stringify(dataset)} is not pinned`);
    return pin;
  }

  schema(dataset: string): DatasetSchema {
    const { manifest } = this.get(dataset);
    const { columns } = this.#views.get(dataset) ?? manifest;
    return { dataset, version: manifest.number, columns };
  }

  /** What an engine needs to read a version. */
  readable(dataset: string): ReadableVersion {
    const { manifest, segmentPaths, residentTable } = this.get(dataset);
    const view = this.#views.get(dataset);
    return {
      dataset,
      version: manifest.number,
      columns: manifest.columns,
      segmentPaths,
      ...(residentTable !== undefined && { residentTable }),
      ...(view !== undefined && { view }),
    };
  }

  all(): readonly ReadableVersion[] {
    return [...this.#pins.keys()].map((dataset) => this.readable(dataset));
  }

  /** Whether something of what is read is held back: then how much is read is not for the asker. */
  get isPartial(): boolean {
    return this.#views.size > 0;
  }

  /** Whether only some rows of a dataset may be seen: then where they are stored, and how many there are, is not for the asker. */
  hidesRows(dataset: string): boolean {
    return this.#views.get(dataset)?.rows !== undefined;
  }

  numbers(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#pins].map(([dataset, { manifest }]) => [dataset, manifest.number]));
  }

  /**
   * What an engine's error means: where it can't read a segment, VERSION_DAMAGED if a file of a version is missing or cut; the
   * error itself otherwise.
   */
  async explain(error: unknown): Promise<unknown> {
    if (!(error instanceof DriverError) || error.reason !== "SEGMENT_UNREADABLE") return error;
    for (const [dataset, { manifest }] of this.#pins) {
      const damage = await this.#datasets.recheck(dataset, manifest.number).then(() => undefined, DriverError.from);
      if (damage?.reason === "VERSION_DAMAGED") return seenDamage(damage, dataset, this.#access);
    }
    const [only, ...others] = this.#pins;
    // The files are all there; of one version alone it is clear whose content is not what it was.
    if (only === undefined || others.length > 0 || error.metadata.content !== "damaged") return error;
    const [dataset, { manifest }] = only;
    const version = String(manifest.number);
    return new DriverError("VERSION_DAMAGED", `version ${version} of "${dataset}" is damaged: ${error.message}`, {
      metadata: { dataset, version },
      cause: error,
    });
  }

  /** What a plan reads, or, without one (SQL), all columns of all versions. */
  cost(plan: Plan | undefined): { readonly rowsScanned: number; readonly bytesScanned: number } {
    if (this.isPartial) return { rowsScanned: 0, bytesScanned: 0 };
    const scans =
      plan === undefined
        ? [...this.#pins].map(([dataset, { manifest }]) => ({ dataset, columns: manifest.columns.length }))
        : scansOf(plan).map(({ dataset, columns }) => ({ dataset, columns: columns.length }));
    let [rowsScanned, bytesScanned] = [0, 0];
    for (const { dataset, columns } of scans) {
      const { manifest } = this.get(dataset);
      rowsScanned += manifest.rows;
      bytesScanned += Math.round((manifest.bytes * columns) / Math.max(1, manifest.columns.length));
    }
    return { rowsScanned, bytesScanned };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pins = [...this.#pins.values()];
    this.#pins.clear();
    await Promise.all(pins.map((pin) => pin[Symbol.asyncDispose]()));
  }
}

function scansOf(plan: Plan): readonly ScanPlan[] {
  if (plan.op === "scan") return [plan];
  if (plan.op === "unionAll") return plan.inputs.flatMap(scansOf);
  return plan.op === "top" ? [...scansOf(plan.input), ...scansOf(plan.ranking)] : scansOf(plan.input);
}
