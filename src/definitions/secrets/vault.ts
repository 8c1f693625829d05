import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { type PrivateFile, readOrCreatePrivateFile, readPrivateFile } from "../../config/private-file.ts";
import { DriverError } from "../../errors/driver-error.ts";
import { canonicalJson } from "../../operations/identity.ts";

const ALGORITHM = "aes-256-gcm";
const VERSION = "1";
const KEY_BYTES = 32;
// https://csrc.nist.gov/pubs/sp/800/38/d/final: 96 bits, never the same twice under one key.
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What a password is for. One that is sealed can't be opened for anything else, so that nobody can have it sent elsewhere. */
export interface SealedFor {
  readonly uid: string;
  readonly uri: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Seals passwords, so that the catalog, its backups and its copies show none. */
export interface Vault {
  /** Throws DATA_DIRECTORY_UNUSABLE where the key can't be read or made. */
  seal(password: string, purpose: SealedFor): string;
  /** Throws SECRET_UNAVAILABLE where the key is gone, another one, or the password was sealed for something else. */
  open(sealed: string, purpose: SealedFor): string;
}

export interface VaultOptions {
  /** The file that holds the key; made when the first password is sealed. */
  readonly keyFile: string;
  /** The group that shares the data directory; undefined for none. */
  readonly group: number | undefined;
}

export function createVault({ keyFile, group }: VaultOptions): Vault {
  const file: PrivateFile = {
    ...{ path: keyFile, group },
    what: "the key of the stored passwords,",
    pattern: /^[A-Za-z0-9_-]{43}$/,
    content: "key of 32 bytes as base64url",
    make: () => randomBytes(KEY_BYTES).toString("base64url"),
  };
  return {
    seal(password, purpose) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(ALGORITHM, keyOf(readOrCreatePrivateFile(file)), nonce);
      cipher.setAAD(boundTo(purpose));
      const text = Buffer.concat([cipher.update(password, "utf8"), cipher.final()]);
      return `${VERSION}.${Buffer.concat([nonce, cipher.getAuthTag(), text]).toString("base64url")}`;
    },
    open(sealed, purpose) {
      const key = readPrivateFile(file);
      if (key === undefined) throw unavailable(`its key ${keyFile} is not there`);
      const [version, body = ""] = sealed.split(".");
      if (version !== VERSION) throw unavailable("it was sealed by a newer driver");
      const bytes = Buffer.from(body, "base64url");
      const text = bytes.subarray(NONCE_BYTES + TAG_BYTES);
      try {
        const decipher = createDecipheriv(ALGORITHM, keyOf(key), bytes.subarray(0, NONCE_BYTES), {
          authTagLength: TAG_BYTES,
        });
        decipher.setAAD(boundTo(purpose));
        decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
        return Buffer.concat([decipher.update(text), decipher.final()]).toString("utf8");
      } catch (error) {
        throw unavailable(`it does not open with the key ${keyFile}, or was sealed for another connection`, error);
      }
    },
  };
}

function keyOf(text: string): Buffer {
  return Buffer.from(text, "base64url");
}

function boundTo({ uid, uri, options }: SealedFor): Buffer {
  return Buffer.from(canonicalJson({ uid, uri, options }));
}

function unavailable(why: string, cause?: unknown): DriverError {
  return new DriverError("SECRET_UNAVAILABLE", `the stored password can't be opened: ${why}`, { cause });
}
