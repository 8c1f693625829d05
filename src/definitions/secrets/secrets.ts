import { DriverError } from "../../errors/driver-error.ts";
import type { Secrets } from "../model.ts";
import { readSecretFile } from "./secret-file.ts";

export interface SecretsOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Folders that the files of secrets must lie under, made real; undefined allows any. */
  readonly fileRoots: () => readonly string[] | undefined;
  /** The driver's own files and folders, made real: none of them is a secret for others. */
  readonly reserved: () => readonly string[];
}

/** Whoever may name a server of their own could otherwise have the whole environment sent there. */
const VARIABLE = /^DROVER_SECRET_[A-Z0-9_]+$/;

/** Secrets by reference: `env:DROVER_SECRET_…`, `file:/…`. They are read when they are used, so that a new one takes effect at once. */
export function createSecrets({ environment, fileRoots, reserved }: SecretsOptions): Secrets {
  return {
    check: (reference) => void parse(reference),
    read: async (reference, { signal }) => {
      const { from, name } = parse(reference);
      signal.throwIfAborted();
      if (from === "file") return readSecretFile(name, fileRoots(), reserved());
      const secret = environment[name];
      if (secret) return secret;
      throw new DriverError("SECRET_UNAVAILABLE", `the driver's environment has no ${name}`, {
        metadata: { secret: reference },
      });
    },
  };
}

function parse(reference: string): { readonly from: "env" | "file"; readonly name: string } {
  const [, from, name = ""] = /^(env|file):(.*)$/s.exec(reference) ?? [];
  // What is no reference may be the password itself: it must not be shown.
  if (from !== "env" && from !== "file")
    throw new DriverError(
      "SECRET_FORBIDDEN",
      "a secret is given by reference: `env:DROVER_SECRET_…` or `file:/…`, never as it is",
    );
  if (from === "env" && !VARIABLE.test(name))
    throw new DriverError(
      "SECRET_FORBIDDEN",
      "a secret's variable has a name of upper case letters, digits and _ that begins with DROVER_SECRET_",
    );
  if (from === "file" && (!name.startsWith("/") || name.includes("\0")))
    throw new DriverError("SECRET_FORBIDDEN", "a secret's file is named by its absolute path");
  return { from, name };
}
