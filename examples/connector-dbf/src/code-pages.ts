import { ConnectorError } from "@drover/connector";
import iconv from "iconv-lite";

/** What the mark in a header means; the most frequent of them. */
const BY_MARK: Readonly<Record<number, string>> = {
  1: "cp437",
  2: "cp850",
  3: "win1252",
  8: "cp865",
  9: "cp437",
  10: "cp850",
  11: "cp437",
  13: "cp437",
  14: "cp850",
  38: "cp866",
  87: "win1252",
  88: "win1252",
  89: "win1252",
  100: "cp852",
  101: "cp866",
  200: "win1250",
  201: "win1251",
  202: "win1254",
  203: "win1253",
};

export type Decode = (bytes: Buffer) => string;

/** What makes text of bytes: the code page that was asked for, else the file's own, else Latin-1. */
export function decoderOf(asked: string | undefined, mark: number): { readonly name: string; readonly decode: Decode } {
  const name = asked ?? BY_MARK[mark] ?? "latin1";
  if (!iconv.encodingExists(name))
    throw new ConnectorError("INVALID_OPTION", `option encoding: there is no code page ${JSON.stringify(name)}`, {
      option: "encoding",
      expected: "a code page such as cp850",
    });
  return { name, decode: (bytes) => iconv.decode(bytes, name) };
}
