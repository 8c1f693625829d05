import { connect } from "node:net";
import { text } from "node:stream/consumers";

/** Asks the test run for something that it starts once (test/setup/on-demand.ts); waits for the start. */
export async function askFor(socket: string): Promise<string> {
  const said = JSON.parse(await text(connect(socket))) as { readonly answer?: string; readonly error?: string };
  if (said.answer === undefined) throw new Error(said.error ?? "the test set-up gave no answer");
  return said.answer;
}
