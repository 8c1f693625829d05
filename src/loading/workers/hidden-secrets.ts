import type { ErrorJson } from "../../errors/error-json.ts";
import type { ParamsOf, WorkerMethod } from "../worker/protocol.ts";

/** More than one worker ever gets in a row; the oldest are forgotten. */
const MAX_SECRETS = 100;

/** The secrets that a worker was given. What it prints when it dies is shown to callers, and client libraries print what they hold. */
export class HiddenSecrets {
  readonly #secrets = new Set<string>();

  /** Takes note of those among a call's parameters. */
  note(params: ParamsOf<WorkerMethod>): void {
    if (!("source" in params)) return;
    const { server, authorization } = params.source;
    for (const secret of [server?.password, authorization]) {
      if (!secret) continue;
      this.#secrets.delete(secret);
      this.#secrets.add(secret);
    }
    for (const secret of this.#secrets) if (this.#secrets.size > MAX_SECRETS) this.#secrets.delete(secret);
  }

  /** The error without them: what packages throw may say what they were given. */
  hideIn({ message, metadata, ...rest }: ErrorJson): ErrorJson {
    const shown = Object.entries(metadata).map(([name, value]) => [name, this.hide(value)]);
    return { ...rest, message: this.hide(message), metadata: Object.fromEntries(shown) };
  }

  /** The text without them, as they are, quoted, and as a URL has them. */
  hide(text: string): string {
    const forms = [...this.#secrets].flatMap((secret) => [
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret.toWellFormed()),
    ]);
    return forms
      .sort((left, right) => right.length - left.length)
      .reduce((hidden, form) => hidden.replaceAll(form, "…"), text);
  }
}
