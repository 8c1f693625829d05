import { once } from "node:events";
import { jsonText } from "./render/json.ts";
import { type Style, styleFor, wantsColours } from "./render/style.ts";

/** Standard output and error of the command. */
export class Output {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** How text on standard output is set off. */
  readonly style: Style;
  /** How text on standard error is set off. */
  readonly errorStyle: Style;

  constructor(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream, env: NodeJS.ProcessEnv) {
    this.stdout = stdout;
    this.stderr = stderr;
    this.style = styleFor(wantsColours(stdout.isTTY, env));
    this.errorStyle = styleFor(wantsColours(stderr.isTTY, env));
  }

  get isTty(): boolean {
    return this.stdout.isTTY === true;
  }

  /** The width of the terminal; 100 where there is none. */
  get columns(): number {
    return this.stdout.columns || 100;
  }

  /** Writes to standard output and waits while its reader is slow. */
  async write(text: string | Uint8Array): Promise<void> {
    if (!this.stdout.write(text)) await once(this.stdout, "drain");
  }

  /** One JSON document. */
  async document(value: unknown): Promise<void> {
    await this.write(`${jsonText(value, 2)}\n`);
  }

  /** One JSON event on a line of its own. */
  async event(value: { readonly event: string } & Readonly<Record<string, unknown>>): Promise<void> {
    await this.write(`${jsonText(value)}\n`);
  }

  /** Says something to the person beside the result. */
  note(text: string): void {
    this.stderr.write(`${text}\n`);
  }
}
