import { apiVersion } from "../api-version.ts";
import { checkAddress } from "../checks.ts";
import { clientError } from "../errors.ts";
import { driverFrom } from "../from-wire.ts";
import { DriverService } from "../gen/drover/v1/driver_service_pb.js";
import { Channel } from "../transport/channel.ts";
import { type ConnectionOptions, openClient } from "../transport/open-client.ts";
import type { CallOptions } from "../transport/transport.ts";
import type { FoundDriver } from "./finder.ts";
import { demandProof, type ExpectedDriver } from "./proof.ts";

/** Whom to connect to. */
export interface DialOptions extends ConnectionOptions {
  readonly address: string;
  readonly token: string | undefined;
  /** What the driver must be, where an address file says it. */
  readonly expected?: ExpectedDriver | undefined;
  /** Whether a connection that has ended is made again, with a new proof. Default: the channel ends with it. */
  readonly again?: boolean | undefined;
}

/**
 * Connects, lets the driver prove itself, then shows the token and shakes hands. Throws UNREACHABLE, DRIVER_NOT_PROVEN,
 * UNAUTHENTICATED, INCOMPATIBLE_DRIVER, DEADLINE_EXCEEDED.
 */
export async function dial(options: DialOptions, call: CallOptions): Promise<FoundDriver> {
  const { address, token, expected } = options;
  checkAddress(address);
  const client = openClient(address, options);
  const bare = new Channel(client, address, undefined);
  const channel = new Channel(client, address, token);
  try {
    if (token !== undefined) {
      await demandProof(bare, token, expected, call);
      // Before the token is shown: whoever is at the other end of the next connection has proved nothing.
      if (options.again) channel.proveAnew((again) => demandProof(bare, token, expected, again));
      else channel.endWithConnection();
    }
    const info = driverFrom(await channel.unary(DriverService.method.getDriver, {}, call));
    if (info.apiVersion === apiVersion) {
      if (token === undefined && !options.again) channel.endWithConnection();
      return { channel, info };
    }
    const metadata = { address, version: info.version, apiVersion: info.apiVersion };
    throw clientError(
      "INCOMPATIBLE_DRIVER",
      `the driver at ${address} (version ${info.version}) speaks ${info.apiVersion}, this client ${apiVersion}`,
      { metadata },
    );
  } catch (error) {
    await channel[Symbol.asyncDispose]();
    throw error;
  }
}
