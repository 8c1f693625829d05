import type { OrderKey } from "../../../node/src/index.ts";
import { UsageError } from "../usage-error.ts";
import { Scanner } from "./scanner.ts";
import { suggestion } from "./suggest.ts";

const words = ["asc", "desc", "nulls_first", "nulls_last"];

/** `NAME[:asc|:desc][:nulls_first|:nulls_last]`; a name that holds a colon stands in double quotes. */
export function parseOrder(text: string): OrderKey {
  const scanner = new Scanner(text);
  const by = scanner.name(/:/, "the name");
  let descending = false;
  let nullsFirst = false;
  while (scanner.take(":")) {
    const word = scanner.name(/:/, "the direction").toLowerCase();
    if (!words.includes(word)) throw new UsageError(`"${text}": unknown direction "${word}"${suggestion(word, words)}`);
    if (word === "desc") descending = true;
    if (word === "nulls_first") nullsFirst = true;
  }
  scanner.end();
  return { by, descending, nullsFirst };
}
