import type { ConnectionRecord } from "../../catalog/definitions.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { Secrets } from "../model.ts";
import type { SealedFor, Vault } from "./vault.ts";

interface ReadOptions {
  readonly signal: AbortSignal;
}

/** Where passwords come from: references, and the sealed store. */
export interface Passwords extends Secrets {
  /** The reference that an option holds. Throws INVALID_OPTION, SECRET_FORBIDDEN, and shows nothing of it where it is none. */
  referenceOf(option: unknown): string | undefined;
  /** Keeps a password. */
  seal(password: string, purpose: SealedFor): string;
  /** The password of a connection, as it is now; undefined where it has none. */
  ofRecord(
    record: SealedFor & Pick<ConnectionRecord, "secret" | "sealed">,
    options: ReadOptions,
  ): Promise<string | undefined>;
}

export function createPasswords(secrets: Secrets, vault: Vault): Passwords {
  return {
    check: (reference) => secrets.check(reference),
    read: (reference, options) => secrets.read(reference, options),
    referenceOf: (option) => {
      if (option === undefined || option === null) return undefined;
      // What is no reference may be the password itself.
      if (typeof option !== "string")
        throw new DriverError("INVALID_OPTION", "option secret: not a reference", { metadata: { option: "secret" } });
      secrets.check(option);
      return option;
    },
    seal: (password, purpose) => vault.seal(password, purpose),
    ofRecord: async (record, options) => {
      if (record.secret !== undefined) return secrets.read(record.secret, options);
      return record.sealed === undefined ? undefined : vault.open(record.sealed, record);
    },
  };
}
