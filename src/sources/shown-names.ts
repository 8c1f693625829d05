import type { FileScan, RejectedRow, WrittenSegments } from "../engine/file-scan.ts";
import { DriverError } from "../errors/driver-error.ts";

/** Puts what people call files in the place of where the driver keeps them or their copies. */
export class ShownNames {
  readonly #names = new Map<string, string>();

  constructor({ paths, origins }: Pick<FileScan, "paths" | "origins">) {
    for (const [index, { path, shownAs = path }] of origins.entries()) {
      // Copies stand in the order of their files.
      const copy = paths.length === origins.length ? (paths[index] ?? path) : path;
      if (copy !== shownAs) this.#names.set(copy, shownAs);
      if (path !== shownAs) this.#names.set(path, shownAs);
    }
  }

  text(text: string): string {
    let shown = text;
    for (const [path, name] of this.#names) shown = shown.replaceAll(path, () => name);
    return shown;
  }

  error(error: unknown): unknown {
    if (this.#names.size === 0 || !(error instanceof DriverError)) return error;
    const { reason, message, metadata, violations, cause } = error;
    const shown = Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, this.text(value)]));
    return new DriverError(reason, this.text(message), { metadata: shown, violations, cause });
  }

  written(written: WrittenSegments): WrittenSegments {
    const rejected = ({ file, ...rest }: RejectedRow): RejectedRow => ({ ...rest, file: this.text(file) });
    return { ...written, rejectedSamples: written.rejectedSamples.map(rejected) };
  }
}
