import { DriverError } from "../errors/driver-error.ts";

/** `hint` goes on after the message: a name that was meant perhaps. */
export function datasetNotFound(dataset: string, hint = ""): DriverError {
  return new DriverError("DATASET_NOT_FOUND", `there is no dataset "${dataset}"${hint}`, { metadata: { dataset } });
}
