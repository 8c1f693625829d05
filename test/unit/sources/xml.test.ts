import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConnector } from "../../../src/sources/connectors.ts";
import { XmlWriter } from "../../../src/sources/xml/write-xml.ts";
import { LoadLab } from "../../helpers/load-engine.ts";
import { labContext, openSource } from "../../helpers/source-load.ts";
import { fileOfPackage } from "../../setup/debian-package.ts";

const MIME_DATABASE = "/usr/share/mime/packages/freedesktop.org.xml";

let lab: LoadLab;
beforeAll(async () => {
  await fileOfPackage(MIME_DATABASE, "shared-mime-info");
  lab = await LoadLab.open();
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const load = (xml: string | Uint8Array, options: Record<string, unknown> = {}) =>
  lab.loadText(xml, { ending: "xml", options });
const failure = (xml: string | Uint8Array, options: Record<string, unknown> = {}) =>
  lab.textFailure(xml, { ending: "xml", options });

describe("records of XML", () => {
  it("become rows whose types are inferred over the whole file", async () => {
    const rows = Array.from(
      { length: 3_000 },
      (_, i) => `<sale id="${i}"><day>2024-01-0${1 + (i % 9)}</day><price>${i}</price></sale>`,
    );
    const {
      types,
      rows: count,
      restarts,
    } = await load(`<sales>${rows.join("\n")}<sale id="x7"><day>2024-02-01</day><price>0.25</price></sale></sales>`);
    expect(count).toBe(3_001);
    expect(types).toEqual({ id: "VARCHAR", day: "DATE", price: "DOUBLE" });
    expect(restarts).toBe(0);
  });

  it("keep columns that appear late, and lists that show late", async () => {
    const early = "<r><a>1</a></r>".repeat(5_000);
    const late = Array.from({ length: 40 }, (_, i) => `<r><a>2</a><n${i}>${i}</n${i}></r>`).join("");
    const { values, types, rows } = await load(`<all>${early}${late}<r><a>3</a><a>4</a><n7>x</n7></r></all>`, {
      columns: "a,n0,n7,n39",
    });
    expect(types).toEqual({ a: "BIGINT[]", n0: "BIGINT", n7: "VARCHAR", n39: "BIGINT" });
    expect(rows).toBe(5_041);
    expect(values.filter((row) => row[1] !== null || row[2] !== null || row[3] !== null)).toEqual([
      [["2"], "0", null, null],
      [["2"], null, "7", null],
      [["2"], null, null, "39"],
      [["3", "4"], null, "x", null],
    ]);
  });

  it("flatten attributes, nested elements and their texts", async () => {
    const { values, types } = await load(
      `<o><i k="1"><p c="EUR">2.5</p><q><r>x</r></q></i><i k="2"><p c="USD">3</p><q><r/></q></i></o>`,
      { separator: ".", attributePrefix: "@" },
    );
    expect(types).toEqual({ "@k": "BIGINT", "p.@c": "VARCHAR", p: "DOUBLE", "q.r": "VARCHAR" });
    expect(values).toEqual([
      ["1", "EUR", 2.5, "x"],
      ["2", "USD", 3, null],
    ]);
  });

  it("give lists below an element that repeats one entry for each of it", async () => {
    const xml = `<m><t n="a"><c>one</c><c lang="de">eins</c></t><t n="b"><c lang="fr">un</c></t><t n="c"><g w="5"/><g p="x"/><g w="7" p="y"/></t></m>`;
    const { values, types } = await load(xml);
    expect(types).toEqual({ n: "VARCHAR", c: "VARCHAR[]", c_lang: "VARCHAR[]", g_w: "BIGINT[]", g_p: "VARCHAR[]" });
    expect(values).toEqual([
      ["a", ["one", "eins"], [null, "de"], null, null],
      ["b", ["un"], ["fr"], null, null],
      ["c", null, null, ["5", null, "7"], [null, "x", "y"]],
    ]);
    expect((await load(xml, { repeated: "first" })).values[0]).toEqual(["a", "one", "de", null, null]);
    expect((await load(xml, { repeated: "join", joiner: "|" })).values[0]).toEqual(["a", "one|eins", "de", null, null]);
  });

  it("keep structs and lists where that is asked for", async () => {
    const { values, types } = await load(
      `<m><t n="1"><c lang="de">eins</c><l><s>1</s></l><d>2024-01-01</d></t><t n="2"><c>un</c><c>zwei</c><l><s>2</s><s>3</s></l></t></m>`,
      { nested: "keep" },
    );
    expect(types).toEqual({
      n: "BIGINT",
      c: 'STRUCT(lang VARCHAR, "text" VARCHAR)[]',
      l: "STRUCT(s BIGINT[])",
      d: "DATE",
    });
    expect(values).toEqual([
      ["1", [{ lang: "de", text: "eins" }], { s: ["1"] }, "2024-01-01"],
      [
        "2",
        [
          { lang: null, text: "un" },
          { lang: null, text: "zwei" },
        ],
        { s: ["2", "3"] },
        null,
      ],
    ]);
  });

  it("understand CDATA, the five entities, character references and mixed content", async () => {
    const { values } = await load(
      `<r><x><a><![CDATA[<b>&amp;]]></a><b>&lt;&gt;&amp;&quot;&apos;</b><c>&#65;&#x1F600;</c><d>Hello <e>big</e>\n world</d></x><x/></r>`,
    );
    expect(values[0]).toEqual(
      ["<b>&amp;", `<>&"'`, "A\u{1F600}", "big", "Hello world"].toSorted((a, b) => order(a) - order(b)),
    );
  });

  it("keep words apart, and attributes of elements that are nil", async () => {
    const mixed = `<d><p>one<br/> <br/>two</p><p>x<br/>\n<!-- -->y</p></d>`;
    expect((await load(mixed, { recordPath: "/d/p", columns: "text" })).values).toEqual([["one two"], ["x y"]]);
    const nil = `<d><p><q xsi:nil="true" c="EUR"/><z xsi:nil="true"/></p><p><q c="USD">5</q></p></d>`;
    expect((await load(nil, { nested: "keep" })).values).toEqual([
      [{ c: "EUR", text: null }, null],
      [{ c: "USD", text: "5" }, null],
    ]);
    expect((await load(nil)).types).toEqual({ q_c: "VARCHAR", q: "BIGINT", z: "VARCHAR" });
  });

  it("have the types of single values in lists and structs as well", async () => {
    const numbers = ["+5", "12345678901234567890123", "-1.123456789012345678", " 1.5 "];
    const item = numbers.map((number, at) => `<v${at}>${number}</v${at}>`).join("");
    const xml = `<d><p>${item}${item}</p><p>${item}</p></d>`;
    const lists = [
      ["5", "5"],
      ["12345678901234567890123", "12345678901234567890123"],
      ["-1.123456789012345678", "-1.123456789012345678"],
      [1.5, 1.5],
    ];
    for (const nested of ["flatten", "keep"]) {
      const { types, values } = await load(xml, { nested, recordPath: "/d/p", trim: "false" });
      expect(Object.values(types)).toEqual(["BIGINT[]", "DECIMAL(38,0)[]", "DECIMAL(38,18)[]", "DOUBLE[]"]);
      expect(values).toEqual([lists.map((list) => list.slice(1)), lists]);
    }
  });

  it("hold days that no calendar has as texts", async () => {
    const { types, values } = await load(
      "<d><p><a>2024-02-29</a><b>2023-02-29</b><c>2024-04-31 10:00:00</c></p><p><e>0001-01-01</e><f>2024/01-02</f><g>2024-01-01 10:00:00+99:99</g></p><p><e>2024-01-01T00:00:00.123456789</e></p></d>",
    );
    expect(types).toEqual({ a: "DATE", b: "VARCHAR", c: "VARCHAR", e: "VARCHAR", f: "VARCHAR", g: "VARCHAR" });
    expect(values[0]).toEqual(["2024-02-29", "2023-02-29", "2024-04-31 10:00:00", null, null, null]);
  });

  it("have names that the engine and the protocol can hold", async () => {
    const xml = "<d><p><a_x0000_b>1</a_x0000_b><_xD800_>2</_xD800_><q><_x_>3</_x_></q><_x_>4</_x_></p><p/></d>";
    expect((await load(xml, { recordPath: "/d/p" })).types).toEqual({
      a_x0000_b: "BIGINT",
      _xD800_: "BIGINT",
      q_: "BIGINT",
      text: "BIGINT",
    });
    expect((await load(xml, { recordPath: "/d/p", nested: "keep" })).values[0]).toEqual(["1", "2", { text: "3" }, "4"]);
  });

  it("take prefixes off or keep them, and leave declarations out", async () => {
    const xml = `<r xmlns="urn:a" xmlns:d="urn:d" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><d:i xsi:schemaLocation="x"><title>t</title><d:title>u</d:title><n xsi:nil="true"/></d:i><d:i><n>5</n></d:i></r>`;
    expect((await load(xml)).types).toEqual({ title: "VARCHAR", title_2: "VARCHAR", n: "BIGINT" });
    expect((await load(xml, { namespaces: "keep", recordPath: "/r/i" })).types).toEqual({
      title: "VARCHAR",
      "d:title": "VARCHAR",
      n: "BIGINT",
    });
  });

  it("are found by themselves, by a path, or anywhere", async () => {
    const xml = `<rss><channel><title>T</title><item><a>1</a></item><item><a>2</a></item></channel><extra><item><a>3</a></item></extra></rss>`;
    expect((await load(xml)).values).toEqual([["1"], ["2"]]);
    expect((await load(xml, { recordPath: "rss/*/item" })).values).toEqual([["1"], ["2"], ["3"]]);
    expect((await load(xml, { recordPath: "//item" })).values).toEqual([["1"], ["2"], ["3"]]);
    expect((await load(`<rows><row><a>1</a><b>x</b></row></rows>`)).values).toEqual([["1", "x"]]);
    expect((await load(`<person id="7"><name>N</name></person>`)).values).toEqual([["7", "N"]]);
    const folder = await lab.folder();
    await writeFile(`${folder}/1.xml`, "<r><i>1</i><i>2</i></r>");
    await writeFile(`${folder}/2.xml`, "<r><j>1</j></r>");
    expect((await lab.load(`${folder}/*.xml`)).warnings).toEqual([expect.stringContaining("2.xml holds no /r/i")]);
    const two = await load(`<all>${"<cd><t>1</t></cd>".repeat(9)}${"<book><t>1</t></book>".repeat(4)}</all>`);
    expect(two.rows).toBe(9);
    expect(two.warnings).toEqual([expect.stringContaining("others that repeat are left out (/all/book)")]);
  });

  it("come from several files, compressed ones too, in any encoding", async () => {
    const folder = await lab.folder();
    const doc = (encoding: string, text: string) =>
      `<?xml version="1.0" encoding="${encoding}"?><r><i><a>${text}</a></i></r>`;
    await writeFile(join(folder, "1.xml"), doc("utf-8", "é"));
    await writeFile(join(folder, "2.xml.gz"), gzipSync(Buffer.from(doc("windows-1252", "\u0080é"), "latin1")));
    await writeFile(
      join(folder, "3.xml.zst"),
      zstdCompressSync(Buffer.from(`\uFEFF${doc("utf-16", "\u{1F600}")}`, "utf16le")),
    );
    await writeFile(join(folder, "4.xml"), Buffer.from(doc("UTF-16BE", "ü"), "utf16le").swap16());
    const [start, end] = doc("shift_jis", "|").split("|");
    await writeFile(
      join(folder, "5.xml"),
      Buffer.concat([Buffer.from(start ?? ""), Buffer.from([0x83, 0x41]), Buffer.from(end ?? "")]),
    );
    const { values } = await lab.load(`${folder}/*`, { format: "xml", options: { recordPath: "/r/i" } });
    expect(values.map(([value]) => value).sort()).toEqual(["é", "€é", "\u{1F600}", "ü", "ア"].sort());
  });

  it("take declared types, formats of dates and texts that mean NULL", async () => {
    const { types, values } = await load(
      `<r><i><a>01</a><d>31/12/2024</d><n>-</n></i><i><a>02</a><d>01/02/2024</d><n>5</n></i></r>`,
      { types: { a: "INTEGER" }, dateFormat: "%d/%m/%Y", nullStrings: ["-"] },
    );
    expect(types).toEqual({ a: "INTEGER", d: "DATE", n: "BIGINT" });
    expect(values).toEqual([
      [1, "2024-12-31", null],
      [2, "2024-02-01", "5"],
    ]);
  });

  it("say where a value does not fit its declared type, or skip and count such records", async () => {
    const xml = `<r>\n<i><a>1</a></i>\n<i><a>x,"y</a></i>\n<i><a>3</a></i>\n<i>\n<a>?</a></i></r>`;
    expect(await failure(xml, { types: { a: "INTEGER" } })).toMatchObject({
      reason: "LOAD_TYPE_MISMATCH",
      metadata: { line: "3", column: "a", value: 'x,"y', file: expect.stringMatching(/text-\d+\.xml$/) },
    });
    const { rejectedRows, rejectedSamples, rows } = await load(xml, { types: { a: "INTEGER" }, badRows: "skip" });
    expect([rows, rejectedRows]).toEqual([2, 2]);
    expect(rejectedSamples.map(({ line, text }) => [line, text])).toEqual([
      [3, '<i><a>x,"y</a></i>'],
      [5, "<i> <a>?</a></i>"],
    ]);
  });

  it("read what the writer wrote", async () => {
    const writer = new XmlWriter({ columns: ["two words", "n", "tags"] });
    const xml = [
      writer.begin(),
      writer.row(["a & b", "12.50", ["x", "y"]]),
      writer.row(["c", null, ["z"]]),
      writer.end(),
    ];
    const { types, values } = await load(xml.join(""));
    expect(types).toEqual({ "two words": "VARCHAR", n: "DOUBLE", tags: "VARCHAR[]" });
    expect(values).toEqual([
      ["a & b", 12.5, ["x", "y"]],
      ["c", null, ["z"]],
    ]);
  });

  it("survive any characters, wherever the reader's chunks are cut", async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const characters = [
      "a",
      ",",
      '"',
      "\n",
      "\r",
      "&",
      "<",
      "]]>",
      "é",
      "ア",
      "\u{1F600}",
      " ",
      "\t",
      "'",
      "x".repeat(70),
    ];
    let state = seed;
    const random = (limit: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return (state >> 8) % limit;
    };
    const text = () => `x${Array.from({ length: random(12) }, () => characters[random(characters.length)]).join("")}`;
    const rows = Array.from(
      { length: 4_000 },
      (_, id) => [id, text(), Array.from({ length: 1 + random(3) }, text)] as const,
    );
    const writer = new XmlWriter({ columns: ["id", "text", "list"] });
    const document =
      writer.begin() + rows.map(([id, ...values]) => writer.row([String(id), ...values])).join("") + writer.end();
    for (const bytes of [
      Buffer.from(document),
      Buffer.from(`\uFEFF${document.replace('"UTF-8"', '"UTF-16"')}`, "utf16le"),
    ]) {
      const { values } = await load(bytes, { trim: false });
      expect(values, `seed ${seed}`).toEqual(rows.map(([id, ...rest]) => [String(id), ...rest]));
    }
  });

  it("are those of the freedesktop MIME database, as an independent reading of it says", async () => {
    const flat = await lab.load(MIME_DATABASE, {
      options: { columns: "type,glob_pattern,glob_weight,comment,comment_lang" },
    });
    const kept = await lab.load(MIME_DATABASE, { options: { nested: "keep" } });
    const source = await readFile(MIME_DATABASE, "utf8");
    expect(flat.rows).toBe(source.match(/<mime-type /g)?.length);
    expect(kept.rows).toBe(flat.rows);
    const globs = flat.values.flatMap((row) => (row[1] as string[] | null) ?? []).filter((glob) => glob !== null);
    const written = [...source.matchAll(/<glob [^>]*pattern="([^"]*)"/g)].map(([, glob]) => glob);
    expect(globs.sort()).toEqual(written.sort());
    for (const [, patterns, weights, comments, languages] of flat.values as (string[] | null)[][]) {
      if (weights) expect(weights.length).toBe(patterns?.length);
      if (languages) expect(languages.length).toBe(comments?.length);
    }
    expect(kept.types.comment).toBe('STRUCT(lang VARCHAR, "text" VARCHAR)[]');
    expect(kept.types.glob).toBe('STRUCT(pattern VARCHAR, weight BIGINT, "case-sensitive" BOOLEAN)[]');
  });
});

function order(text: string | null): number {
  return ["<b>&amp;", `<>&"'`, "A\u{1F600}", "big", "Hello world"].indexOf(text ?? "");
}

describe("XML that can't be read", () => {
  /** Loading fails, and leaves nothing but the document itself. */
  async function refused(xml: string | Uint8Array, options: Record<string, unknown> = {}) {
    const error = await failure(xml, options);
    return { reason: error.reason, message: error.message, ...error.metadata };
  }

  it("expands no entities and opens nothing that they name", async () => {
    const laughs = Array.from({ length: 9 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`).join("");
    expect(await refused(`<!DOCTYPE r [<!ENTITY l0 "lol">${laughs}]><r><i><a>&l9;</a></i></r>`)).toMatchObject({
      reason: "XML_ENTITIES",
      line: "1",
    });
    expect(await refused(`<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><i>&x;</i></r>`)).toMatchObject({
      reason: "XML_ENTITIES",
    });
    expect(await refused(`<!DOCTYPE r [<!ENTITY % p SYSTEM "x">%p;]><r><i>1</i></r>`)).toMatchObject({
      reason: "XML_ENTITIES",
    });
    let asked = 0;
    await using server = createServer((_, response) => {
      asked++;
      response.end('<!ENTITY y "z">');
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/x.dtd`;
    expect(await refused(`<!DOCTYPE r [<!ENTITY x SYSTEM "${url}">]><r><i>&x;</i></r>`)).toMatchObject({
      reason: "XML_ENTITIES",
    });
    expect(await refused(`<!DOCTYPE r SYSTEM "${url}"><r>\n<i>&y;</i></r>`)).toMatchObject({
      reason: "MALFORMED_XML",
      line: "2",
    });
    expect((await load(`<!DOCTYPE r [<!-- <!ENTITY x "y"> -->]><r><i>1</i><i>2</i></r>`)).rows).toBe(2);
    expect((await load(`<!DOCTYPE r SYSTEM "${url}"><r><i>1</i><i>2</i></r>`)).rows).toBe(2);
    expect(asked).toBe(0);
  });

  it("is refused with line and byte where it is not well-formed or ends early", async () => {
    expect(await refused(`<r>\n<i>é</i>\n<i>x</j></r>`)).toMatchObject({
      reason: "MALFORMED_XML",
      line: "3",
      byte: "22",
    });
    expect(await refused(`<r>\n<i>1</i>\n<i>2</i>\n<i><a>`)).toMatchObject({
      reason: "MALFORMED_XML",
      line: "4",
      byte: "28",
      element: "a",
    });
    expect(await refused("<r><i>1</i><i")).toMatchObject({ reason: "MALFORMED_XML" });
    expect(await refused(gzipSync("<r/>"))).toMatchObject({
      reason: expect.stringMatching(/SOURCE_ENCODING|MALFORMED_XML/),
    });
    expect(await refused("just text")).toMatchObject({ reason: "MALFORMED_XML", line: "1" });
    expect(await refused("")).toMatchObject({ reason: "EMPTY_SOURCE" });
    expect(await refused("<r><i a='1' a='2'/><i/></r>")).toMatchObject({ reason: "MALFORMED_XML" });
  });

  it("is refused where it is not in the encoding that it declares", async () => {
    const bytes = Buffer.concat([
      Buffer.from("<r>\n<i>\u{FFFD}</i>\n<i>"),
      Buffer.from([0xe9]),
      Buffer.from("</i></r>"),
    ]);
    expect(await refused(bytes)).toMatchObject({ reason: "SOURCE_ENCODING", line: "3", byte: "18" });
    expect(await refused(`<?xml version="1.0" encoding="utf-16"?><r/>`)).toMatchObject({ reason: "SOURCE_ENCODING" });
    expect(await refused(`<?xml version="1.0" encoding="klingon"?><r/>`)).toMatchObject({
      reason: "SOURCE_ENCODING",
      encoding: "klingon",
    });
    expect((await load(bytes, { encoding: "windows-1252" })).rows).toBe(2);
  });

  it("is refused beyond the limits of values, depth, records and columns", async () => {
    const mega = "x".repeat(1024 * 1024);
    const big = (make: (value: string) => string) => `<r><i>1</i>${make(mega.repeat(10))}<i>2</i></r>`;
    for (const make of [
      (value: string) => `<i a="${value}"/>`,
      (value: string) => `<i>${value}</i>`,
      (value: string) => `<i><![CDATA[${value}]]></i>`,
      (value: string) => `<!--${value}-->`,
    ])
      expect(await refused(big(make), { recordPath: "/r/i" })).toMatchObject({
        reason: "XML_LIMIT",
        limit: String(4 << 20),
        line: "1",
      });
    expect(await refused(`<r>${"<i>".repeat(200)}`)).toMatchObject({ reason: "XML_LIMIT", limit: "100" });
    expect(await refused(`<r><i>1</i><i>${`<a>${mega}</a>`.repeat(9)}</i></r>`, { recordPath: "/r/i" })).toMatchObject({
      reason: "XML_LIMIT",
      limit: String(7 << 20),
    });
    const many = Array.from({ length: 2_001 }, (_, i) => `<i><n${i}>1</n${i}></i>`).join("");
    expect(await refused(`<r>${many}</r>`)).toMatchObject({ reason: "XML_LIMIT", limit: "2000" });
    const empty = Array.from({ length: 2_001 }, (_, i) => `<n${i}/>`).join("");
    expect(await refused(`<r><i>${empty}</i><i/></r>`)).toMatchObject({ reason: "XML_LIMIT", limit: "2000" });
    expect(await refused(`<r>${many}</r>`, { nested: "keep" })).toMatchObject({ reason: "XML_LIMIT", limit: "2000" });
  });

  it("is refused where pieces of text, empty elements or their kinds would fill the memory", async () => {
    const limit = { reason: "XML_LIMIT" };
    const piece = `${"x".repeat(100_000)}<!-- -->`;
    expect(await failure(`<d><p>${piece.repeat(80)}</p></d>`, { recordPath: "/d/p" })).toMatchObject(limit);
    const empty = `<d><p>${"<i/>".repeat(1_500_000)}</p></d>`;
    expect(await failure(empty, { recordPath: "/d/p", nested: "keep" })).toMatchObject(limit);
    const kinds = Array.from({ length: 11_000 }, (_, at) => `<k${at}/>`).join("");
    expect(await failure(`<d><p>${kinds}</p></d>`, { recordPath: "/d/p" })).toMatchObject(limit);
  });

  it("names likely record paths where the given one leads nowhere", async () => {
    expect(await refused(`<r><i><a>1</a></i><i><a>2</a></i></r>`, { recordPath: "/r/item" })).toMatchObject({
      reason: "XML_NO_RECORDS",
      suggestions: "/r/i",
    });
    expect(await refused(`<r><i/></r>`, { recordPath: "a b" })).toMatchObject({ reason: "INVALID_OPTION" });
  });

  it("leaves its work folder to whoever made it, with no open file", async () => {
    const before = (await readdir("/proc/self/fd")).length;
    await refused(`<r>${"<i><a>1</a></i>".repeat(100_000)}<i>`);
    expect((await readdir("/proc/self/fd")).length).toBeLessThanOrEqual(before + 1);
  });
});

describe("a preview of XML", () => {
  async function preview(path: string, options: Record<string, unknown> = {}, arriving = false) {
    const directory = await lab.folder();
    const signal = new AbortController().signal;
    const statement = async () => ({ [Symbol.dispose]: () => undefined });
    const context = { signal, fileRoots: undefined, workDirectory: directory, beginningBytes: 64 * 1024, statement };
    const source = { kind: "xml", uri: path, options, arriving };
    await using session = await (await loadConnector("xml")).open(source, context);
    await session.plan({ maxPartitions: 1, preview: true });
    const content = await session.read({});
    if (content.form !== "files") throw new Error("the connector gave no files");
    return lab.engine.preview(content.scan, { signal, rows: 3, directory });
  }

  it("shows the first records of a file, with types and parsers, and whether there are more", async () => {
    const path = await lab.file("preview.xml", `<r>${"<i><a>1</a><b>5 kg</b></i>".repeat(100_000)}`);
    const shown = await preview(path, { "parsers.b": "split_part(value, ' ', 1)::INTEGER" });
    expect(shown.columns.map(({ name, type }) => [name, type])).toEqual([
      ["a", "BIGINT"],
      ["b", "INTEGER"],
    ]);
    expect(shown.rows).toEqual([
      ["1", 5],
      ["1", 5],
      ["1", 5],
    ]);
    expect(shown).toMatchObject({ complete: false, options: { recordPath: "/r/i" } });
    expect(await preview(await lab.file("small.xml", "<r><i>1</i><i>2</i></r>"))).toMatchObject({
      rows: [["1"], ["2"]],
      complete: true,
    });
  });

  it("takes what there is of a file that still arrives, compressed or cut in a character", async () => {
    const text = `<r>${Array.from({ length: 2_000 }, (_, i) => `<i><a>é${i * 7919}</a></i>`).join("")}</r>`;
    const bytes = Buffer.from(text);
    const plain = await lab.file("arriving.xml", bytes.subarray(0, bytes.indexOf(0xc3, 500) + 1));
    expect((await preview(plain, {}, true)).rows).toHaveLength(3);
    const packed = gzipSync(Buffer.from(text));
    const compressed = await lab.file("arriving.xml.gz", packed.subarray(0, packed.length / 2));
    expect((await preview(compressed, { nested: "keep" }, true)).rows).toHaveLength(3);
  });
});

describe("a file of XML that people call otherwise", () => {
  it("goes by that name in errors of tests, previews and loads", async () => {
    const uri = await lab.file("kept.xml", "<r><i>1</i><i>2</i><i>3</r>");
    const source = { kind: "xml", uri, options: {}, shownAs: "mine.xml" };
    for (const preview of [false, true]) {
      await using session = await openSource(source, await labContext(lab));
      const failed = session.plan({ maxPartitions: 1, preview }).then(() => session.read({}));
      await expect(failed).rejects.toMatchObject({
        reason: "MALFORMED_XML",
        message: expect.stringMatching(/^mine\.xml, line 1/),
        metadata: { file: "mine.xml" },
      });
    }
    await using session = await openSource(source, await labContext(lab));
    await expect(session.test()).rejects.toThrow(/^mine\.xml/);
  });

  it("is tested by its beginning, and goes forward while it is fetched and read", async () => {
    const item = `<i><a>${"x".repeat(1_000)}</a></i>`;
    const body = Buffer.from(`<r>${item.repeat(4_000)}</r>`);
    let sent = 0;
    await using server = createServer((request, response) => {
      const last = /^bytes=0-(\d+)$/.exec(request.headers.range ?? "")?.[1];
      const part = last === undefined ? body : body.subarray(0, Number(last) + 1);
      response.writeHead(last === undefined ? 200 : 206, {
        ...(last !== undefined && { "content-range": `bytes 0-${last}/${body.length}` }),
        "content-length": request.headers.range === undefined ? body.length : part.length,
      });
      for (let at = 0; at < part.length; at += 65_536) response.write(part.subarray(at, at + 65_536));
      response.end();
      if (last !== undefined) sent += part.length;
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.xml`;
    const fractions: number[] = [];
    const context = {
      ...(await labContext(lab)),
      http: { allowed: undefined, maxBytes: 1e9 },
      onProgress: ({ fraction = 0 }: { fraction?: number | undefined }) => void fractions.push(fraction),
    };
    await using session = await openSource({ kind: "xml", uri, options: {} }, context);
    expect((await session.test()).description).toBe(`1 file, ${body.length} bytes; the records are /r/i`);
    expect(sent).toBe(1024 * 1024);
    await using loading = await openSource(
      { kind: "xml", uri, options: {} },
      { ...context, workDirectory: await lab.folder() },
    );
    fractions.length = 0;
    const content = await loading.read({});
    expect(content.form === "files" && content.scan.before?.fraction).toBeCloseTo(0.925);
    expect(fractions).toEqual(fractions.toSorted((left, right) => left - right));
    expect(fractions.length).toBeGreaterThan(2);
  });
});

describe("a long document", () => {
  it("names its unclosed element with line and byte", async () => {
    const path = join(await lab.folder(), "long.xml");
    const output = createWriteStream(path);
    const part = Buffer.from("<i><a>1234</a><b>some text that is here</b></i>\n".repeat(20_000));
    output.write("<r>\n");
    for (let count = 0; count < 30; count++) if (!output.write(part)) await once(output, "drain");
    output.end("<i><a>");
    await once(output, "finish");
    const error = await lab.failure(path);
    expect(error.metadata).toMatchObject({
      line: String(2 + 600_000),
      byte: String(4 + 30 * part.length + 6),
      element: "a",
    });
  });
});
