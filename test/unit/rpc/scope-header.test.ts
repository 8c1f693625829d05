import { expect, test } from "vitest";
import { readScope } from "../../../src/rpc/mapping/scopes.ts";

const hidden = '{"datasets":["*"],"hidden":[{"dataset":"*","columns":["Geh\u00e4lt*"]}]}';

function encoded(text: string, encoding: BufferEncoding): string {
  return Buffer.from(text, encoding).toString("base64url");
}

test("a scope is read from JSON in UTF-8, padded or not", () => {
  const scope = { datasets: ["*"], rows: [], hidden: [{ dataset: "*", columns: ["Geh\u00e4lt*"] }] };
  expect(readScope(encoded(hidden, "utf8"))).toEqual(scope);
  expect(readScope(Buffer.from(hidden, "utf8").toString("base64url").padEnd(96, "="))).toEqual(scope);
  expect(readScope(undefined)).toBeUndefined();
});

test.each([
  ["in another encoding, whose columns would be others", encoded(hidden, "latin1")],
  ["in two bytes a character", encoded(hidden, "utf16le")],
  ["that comes twice", `${encoded(hidden, "utf8")},${encoded(hidden, "utf8")}`],
  ["that is cut", encoded(hidden, "utf8").slice(0, -3)],
  ["of nothing", ""],
  ["of null", encoded("null", "utf8")],
  ["with a word that nobody knows", encoded('{"datasets":["*"],"hide":[]}', "utf8")],
])("a scope %s is refused", (_, header) => {
  expect(() => readScope(header)).toThrow(expect.objectContaining({ reason: "INVALID_REQUEST" }));
});
