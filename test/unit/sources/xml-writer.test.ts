import { SaxesParser } from "saxes";
import { describe, expect, it } from "vitest";
import { elementName, textOfName } from "../../../src/sources/xml/names.ts";
import { XmlWriter } from "../../../src/sources/xml/write-xml.ts";

/** Parses strictly; answers the texts of elements by path, in order. */
function read(xml: string): readonly (readonly [string, string])[] {
  const found: [string, string][] = [];
  const path: string[] = [];
  let text = "";
  const parser = new SaxesParser({ xmlns: true });
  parser.on("opentag", ({ name, attributes }) => {
    path.push(name);
    text = attributes["xsi:nil"] === undefined ? "" : "NIL";
  });
  parser.on("text", (part) => {
    text += part;
  });
  parser.on("closetag", () => {
    if (text.trim() !== "") found.push([path.slice(2).join("/"), text]);
    text = "";
    path.pop();
  });
  parser.write(xml).close();
  return found;
}

function written(columns: readonly string[], rows: Parameters<XmlWriter["row"]>[0][]): string {
  const writer = new XmlWriter({ columns });
  return [writer.begin(), ...rows.map((row) => writer.row(row)), writer.end()].join("");
}

describe("the XML writer", () => {
  it("writes rows that a strict parser reads back", () => {
    const xml = written(
      ["a", "b & c"],
      [
        ['<x> & "y" ]]> \r\n', 12.5],
        [null, true],
      ],
    );
    expect(read(xml)).toEqual([
      ["a", '<x> & "y" ]]> \r\n'],
      ["b_x0020__x0026__x0020_c", "12.5"],
      ["b_x0020__x0026__x0020_c", "true"],
    ]);
  });

  it("repeats the element of a list and nests structs", () => {
    const xml = written(["tags", "place"], [[["x", null, "y"], { "zip code": "01234", points: [["1"], ["2", "3"]] }]]);
    expect(read(xml)).toEqual([
      ["tags", "x"],
      ["tags", "NIL"],
      ["tags", "y"],
      ["place/zip_x0020_code", "01234"],
      ["place/points/item", "1"],
      ["place/points/item", "2"],
      ["place/points/item", "3"],
    ]);
  });

  it("refuses what XML can't hold, with row, column and value", () => {
    const writer = new XmlWriter({ columns: ["a", "b"] });
    writer.row(["fine", "\t\n"]);
    expect(() => writer.row(["fine", "x\u0001y"])).toThrow(
      expect.objectContaining({
        reason: "VALUE_UNWRITABLE",
        metadata: { row: "2", column: "b", value: "x\u0001y", character: "U+0001" },
      }),
    );
    expect(() => writer.row(["\uD800", null])).toThrow(/U\+D800/);
    expect(writer.row(["\u{1F600}", null])).toContain("\u{1F600}");
  });

  it("makes a name of any text and the text of the name again", () => {
    const names = [
      "a",
      "1st",
      "two words",
      "",
      "xmlish",
      "XML",
      "a_x0020_b",
      "_x",
      "ü",
      "a:b",
      "\u{1F600}",
      "-",
      "a-b.c",
    ];
    for (const name of names) {
      const made = elementName(name);
      expect(() => new SaxesParser({ xmlns: true }).write(`<${made}/>`).close()).not.toThrow();
      expect(made).not.toMatch(/^xml/i);
      expect(textOfName(made)).toBe(name);
    }
  });
});
