import { DriverError } from "../errors/driver-error.ts";
import type { FileScan, ScanColumn } from "./file-scan.ts";

/** An inferred type does not hold for all rows. `scan` carries types that do; reading starts over with it. */
export class TypeContradiction extends DriverError {
  readonly scan: FileScan & { readonly columns: readonly ScanColumn[] };
  readonly warnings: readonly string[];

  constructor(scan: FileScan & { readonly columns: readonly ScanColumn[] }, warnings: readonly string[]) {
    super("LOAD_TYPE_CONTRADICTION", warnings.join("; "));
    this.scan = scan;
    this.warnings = warnings;
  }
}
