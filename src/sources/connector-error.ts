import { CONNECTOR_REASONS, type ConnectorError, type ConnectorReason } from "@drover/connector";
import { DriverError } from "../errors/driver-error.ts";
import type { Reason } from "../errors/reasons.ts";

const allowed: ReadonlySet<string> = new Set(CONNECTOR_REASONS satisfies readonly Reason[]);

/** What a connector says went wrong, as the driver's error. */
export function driverErrorOf(error: Pick<ConnectorError, "reason" | "message" | "metadata"> & Error): DriverError {
  const { reason, message, metadata, cause } = error;
  const { option, expected } = metadata;
  const violation =
    option === undefined || expected === undefined
      ? []
      : [{ field: `source.options.${option}`, description: `must be ${expected}` }];
  return new DriverError(reason, message, { metadata, violations: violation, cause });
}

/** The error of a connector as the driver's, and any other as it is. */
export function asDriverError(thrown: unknown): unknown {
  return isConnectorError(thrown) ? driverErrorOf(thrown) : thrown;
}

/** Told by its shape: a package may bring a copy of the interface of its own. Reasons that no connector may give are not believed. */
export function isConnectorError(thrown: unknown): thrown is ConnectorError {
  if (!(thrown instanceof Error) || thrown.name !== "ConnectorError") return false;
  const { reason, metadata } = thrown as Partial<ConnectorError>;
  return allowed.has(reason as ConnectorReason) && isTexts(metadata);
}

function isTexts(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.values(value).every((text) => typeof text === "string");
}
