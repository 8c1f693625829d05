import type { Connector } from "../connector.ts";
import { delimitedText } from "../csv/connector.ts";

/** Reads tab-separated values. */
export const tsv: Connector = delimitedText("tsv", "\t");
