import { DriverError } from "../../errors/driver-error.ts";

const FAILED = /^npm http fetch GET (\S+) attempt \d+ failed with (\S+)$/;
const ANSWERED = /^npm http fetch GET (?:\d+ )?(\S+) .*?(\(cache stale\))?$/;

/**
 * Looks at npm's log for a registry that can't be reached. npm takes what it knew of a package before, after all of its tries, and does so for one
 * package after the other while it resolves: minutes for a set, without a word.
 */
export class RegistryWatch {
  /** What was asked for in vain, with the last code. */
  readonly #failed = new Map<string, string>();

  /** Answers the error where a line tells of such a registry. */
  read(line: string): DriverError | undefined {
    const [, url = "", code = ""] = FAILED.exec(line) ?? [];
    if (url !== "") {
      this.#failed.set(url, code);
      return undefined;
    }
    const [, answered = "", stale] = ANSWERED.exec(line) ?? [];
    const why = this.#failed.get(answered);
    if (why === undefined) return undefined;
    this.#failed.delete(answered);
    if (stale === undefined) return undefined;
    return new DriverError("REGISTRY_UNAVAILABLE", `request to ${answered} failed, reason: ${why}`, {
      metadata: { npm: why },
    });
  }
}
