import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { joinName, splitName } from "../../../src/sources/database/names.ts";
import { databaseOptions, databaseSettingsOf } from "../../../src/sources/database/options.ts";
import { evenBounds, histogramBounds, rangeCondition, rangesOf } from "../../../src/sources/database/ranges.ts";
import { likePattern, renderFilter } from "../../../src/sources/database/render-filter.ts";
import { parseDatabaseUrl } from "../../../src/sources/database/url.ts";
import { chooseKind } from "../../../src/sources/kinds.ts";
import { mysqlError } from "../../../src/sources/mysql/errors.ts";
import { parseOptions } from "../../../src/sources/option-values.ts";
import { postgresError } from "../../../src/sources/postgres/errors.ts";
import { postgres } from "../../../src/sources/postgres/kind.ts";
import { serverOf, settingsOf } from "../../../src/sources/postgres/options.ts";
import type { RowFilter } from "../../../src/sources/row-filter.ts";
import { thrownBy } from "../../helpers/thrown.ts";

describe("the URL of a database", () => {
  it.each([
    [
      "postgresql://reporting@db.example:6432/sales?sslmode=require&connect_timeout=5#eu.orders",
      {
        scheme: "postgresql",
        hosts: [{ host: "db.example", port: 6432 }],
        database: "sales",
        user: "reporting",
        parameters: [
          ["sslmode", "require"],
          ["connect_timeout", "5"],
        ],
        table: "eu.orders",
      },
    ],
    [
      "jdbc:postgresql://a,[::1]:5433,c:1/x",
      { hosts: [{ host: "a" }, { host: "::1", port: 5433 }, { host: "c", port: 1 }] },
    ],
    ["jdbc:mariadb://h/d", { scheme: "mariadb", database: "d", user: undefined, parameters: [], table: undefined }],
    ["MySQL://h", { scheme: "mysql", database: undefined }],
    ["postgres://%2Fvar%2Frun%2Fpostgresql/d%C3%A9", { hosts: [{ host: "/var/run/postgresql" }], database: "dé" }],
    [
      "postgres://a%40b@h/d%2Fe?application_name=my+app%26",
      { user: "a@b", database: "d/e", parameters: [["application_name", "my app&"]] },
    ],
    ["postgres:///d", { hosts: [], database: "d" }],
  ])("%s is taken apart", (uri, parts) => {
    expect(parseDatabaseUrl(uri)).toMatchObject(parts);
  });

  const secret = "hun/ter?2#:&@";
  it.each([
    `postgresql://u:${secret}@h/d`,
    `jdbc:mysql://u:${encodeURIComponent(secret)}@h/d`,
    `postgres://h/d?user=u&password=${encodeURIComponent(secret)}`,
    `jdbc:mariadb://h/d?Password=${encodeURIComponent(secret)}`,
    `postgres://h/d?sslpassword=${encodeURIComponent(secret)}`,
  ])("is refused with a password in it, which no error shows: %s", (uri) => {
    const error = thrownBy(() => parseDatabaseUrl(uri));
    expect(error.reason).toBe("INVALID_CONNECTION");
    expect(JSON.stringify({ ...error, message: error.message })).not.toMatch(/hun|ter%3F/);
    const elsewhere = thrownBy(() => chooseKind([], { format: undefined, uri }));
    expect(JSON.stringify({ ...elsewhere, message: elsewhere.message })).not.toMatch(/hun|ter%3F/);
  });

  it("says by name that it holds a password", () => {
    expect(thrownBy(() => parseDatabaseUrl("postgresql://u:x@h/d"))).toMatchObject({
      reason: "INVALID_CONNECTION",
      message: expect.stringContaining("secret"),
      metadata: { uri: "postgresql://u:…@h/d" },
    });
  });

  it.each([
    "postgresql:h/d",
    "postgres://h:0/d",
    "postgres://h:99999/d",
    "postgres://h:x/d",
    "postgres://a,,b/d",
    "postgres://h/%zz",
    "postgres://h/d?sslmode",
    "postgres://h/d?a=1&a=2",
    "postgres://h/d\0",
  ])("is refused where it is none: %j", (uri) => {
    expect(thrownBy(() => parseDatabaseUrl(uri)).reason).toBe("INVALID_CONNECTION");
  });
});

describe("a connection to PostgreSQL", () => {
  const of = (uri: string, options: Record<string, unknown> = {}) => serverOf({ uri, options });

  it("takes libpq's and JDBC's parameters", () => {
    const libpq = of(
      "postgresql://u@a:1,b/d?sslmode=verify-full&sslrootcert=/ca.pem&connect_timeout=3&application_name=x&target_session_attrs=read-write",
    );
    const jdbc = of(
      "jdbc:postgresql://a:1,b/d?user=u&ssl=true&sslrootcert=/ca.pem&connectTimeout=3&ApplicationName=x&targetServerType=primary&tcpKeepAlive=true",
    );
    expect(jdbc).toEqual(libpq);
    expect(libpq).toMatchObject({
      hosts: [
        { host: "a", port: 1 },
        { host: "b", port: 5432 },
      ],
      tls: { mode: "verify-full", caFile: "/ca.pem" },
      connectTimeoutMs: 3_000,
      session: "primary",
    });
  });

  it.each([
    ["sslmod=require", "UNKNOWN_URL_PARAMETER", 'did you mean "sslmode"?'],
    ["sslmode=maybe", "INVALID_URL_PARAMETER", "takes disable, allow"],
    ["options=-csearch_path%3Dx", "INVALID_URL_PARAMETER", "searchPath"],
    ["sslmode=disable&ssl=true", "INVALID_URL_PARAMETER", "contradicts"],
    ["connect_timeout=soon", "INVALID_OPTION", "connectTimeout"],
    ["sslcert=/x", "INVALID_OPTION", "tlsKeyFile"],
    ["constructor=1", "UNKNOWN_URL_PARAMETER", "constructor"],
  ])("refuses %s by name", (query, reason, words) => {
    const error = thrownBy(() => of(`postgres://u@h/d?${query}`));
    expect(error).toMatchObject({ reason });
    expect(error.message).toContain(words);
  });

  it("needs a user, verifies with a CA, and refuses contradictions between URL and options", () => {
    expect(thrownBy(() => of("postgres://h/d")).reason).toBe("INVALID_CONNECTION");
    expect(of("postgres://h/d", { user: "u" }).user).toBe("u");
    expect(of("postgres://u@h", { tlsCaFile: "/ca" })).toMatchObject({ database: "u", tls: { mode: "verify-full" } });
    expect(thrownBy(() => of("postgres://h/d?user=a", { user: "b" })).reason).toBe("INVALID_URL_PARAMETER");
    expect(thrownBy(() => of("mysql://u@h/d")).reason).toBe("INVALID_CONNECTION");
  });

  it("may stand in a source's own URL together with the table", () => {
    const uri = "jdbc:postgresql://u@h/d?sslmode=require#s.t";
    expect(of(uri)).toMatchObject({ database: "d", tls: { mode: "require" } });
    expect(settingsOf({ partitions: 2 }, uri)).toMatchObject({
      relation: { kind: "table", schema: "s", table: "t" },
      partitions: 2,
      transfer: "auto",
    });
    expect(postgres.schemes).toContain("jdbc:postgresql");
    expect(thrownBy(() => settingsOf({ query: "SELECT 1" }, uri)).reason).toBe("INVALID_OPTION");
  });
});

describe("what is read of a database", () => {
  const settings = (options: Record<string, unknown>) =>
    databaseSettingsOf(parseOptions("x", databaseOptions, options)).relation;

  it("is a table or a query", () => {
    expect(settings({ table: "t" })).toEqual({ kind: "table", schema: undefined, table: "t" });
    expect(settings({ table: 's."a.""b"""' })).toEqual({ kind: "table", schema: "s", table: 'a."b"' });
    expect(settings({ table: "a.b", schema: "S" })).toEqual({ kind: "table", schema: "S", table: "a.b" });
    expect(settings({ query: "SELECT 1 ; \n" })).toEqual({ kind: "query", query: "SELECT 1" });
    expect(settings({})).toBeUndefined();
  });

  it.each([
    { table: "t", query: "SELECT 1" },
    { schema: "s", query: "SELECT 1" },
    { schema: "s" },
    { query: " ; " },
    { table: "a.b.c" },
    { table: 'a."b' },
    { table: "a..b" },
    { table: "t", partitions: 0 },
    { table: "t", partitions: 1000 },
  ])("is refused where it is neither or both: %j", (options) => {
    expect(thrownBy(() => settings(options)).reason).toBe("INVALID_OPTION");
  });

  it("is named so that any name can be", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 3 }), (parts) => {
        expect(splitName(joinName(...parts))).toEqual(parts);
      }),
    );
  });
});

describe("a filter in SQL", () => {
  const names = ["a", 'b"c'];
  const dialect = {
    columnNames: names,
    column: (name: string) => (names.includes(name) ? `"${name.replaceAll('"', '""')}"` : undefined),
    value: (value: string | number | boolean) => `'${String(value).replaceAll("'", "''")}'`,
    textMatch: (match: Extract<RowFilter, { kind: "text" }>, column: string) =>
      `${column} LIKE '${likePattern(match)}'`,
  };
  const sql = (filter: RowFilter) => renderFilter(filter, dialect);

  it.each<[RowFilter, string]>([
    [
      { kind: "compare", column: "a", op: "lessOrEqual", value: "x'; DROP TABLE t; --" },
      `("a" <= 'x''; DROP TABLE t; --')`,
    ],
    [{ kind: "all", filters: [] }, "(1 = 1)"],
    [{ kind: "any", filters: [] }, "(1 = 0)"],
    [
      {
        kind: "not",
        filter: {
          kind: "any",
          filters: [
            { kind: "isNull", column: "a" },
            { kind: "isNull", column: 'b"c' },
          ],
        },
      },
      `(NOT (("a" IS NULL) OR ("b""c" IS NULL)))`,
    ],
    [{ kind: "in", column: "a", values: [1, null] }, `(("a" IN ('1')) OR "a" IS NULL)`],
    [{ kind: "in", column: "a", values: [] }, "(1 = 0)"],
    [
      { kind: "range", column: "a", from: 1, to: 2, fromExclusive: true, toExclusive: false },
      `("a" > '1' AND "a" <= '2')`,
    ],
    [{ kind: "range", column: "a", fromExclusive: false, toExclusive: false }, `("a" IS NOT NULL)`],
    [{ kind: "text", column: "a", op: "contains", text: "5%_\\*", ignoreCase: false }, `("a" LIKE '%5\\%\\_\\\\*%')`],
    [{ kind: "text", column: "a", op: "glob", text: "a*b?%", ignoreCase: false }, `("a" LIKE 'a%b_\\%')`],
  ])("%j", (filter, expected) => {
    expect(sql(filter)).toBe(expected);
  });

  it("finds equal values by what an index has, and tells them apart by what is exact", () => {
    const both = { ...dialect, loose: (name: string) => `lower(${dialect.column(name)})` };
    const compare = (op: "equal" | "notEqual") => renderFilter({ kind: "compare", column: "a", op, value: 1 }, both);
    expect(compare("equal")).toBe(`(lower("a") = '1' AND "a" = '1')`);
    expect(compare("notEqual")).toBe(`("a" <> '1')`);
    expect(renderFilter({ kind: "in", column: "a", values: [1, null] }, both)).toBe(
      `((lower("a") IN ('1') AND "a" IN ('1')) OR lower("a") IS NULL)`,
    );
    expect(renderFilter({ kind: "isNull", column: "a" }, both)).toBe(`(lower("a") IS NULL)`);
  });

  it("is refused by the name of a column that there is not, and where it compares with null or holds U+0000", () => {
    expect(thrownBy(() => sql({ kind: "isNull", column: "A" }))).toMatchObject({
      reason: "UNKNOWN_COLUMN",
      message: expect.stringContaining('did you mean "a"?'),
    });
    expect(thrownBy(() => sql({ kind: "compare", column: "a", op: "equal", value: null })).reason).toBe(
      "INVALID_FILTER",
    );
    expect(thrownBy(() => sql({ kind: "compare", column: "a", op: "equal", value: "\0" })).reason).toBe(
      "INVALID_FILTER",
    );
  });
});

describe("ranges of a column", () => {
  it("hold every row exactly once", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -1000n, max: 1000n }),
        fc.bigInt({ min: 0n, max: 500n }),
        fc.integer({ min: 1, max: 20 }),
        (least, width, count) => {
          const bounds = evenBounds(least, least + width, count);
          const ranges = rangesOf(bounds.map(String));
          expect(ranges.length).toBeLessThanOrEqual(count);
          for (let value = least - 1n; value <= least + width + 1n; value++) {
            const holding = ranges.filter(
              ({ from, to }) =>
                (from === undefined || value >= BigInt(from)) && (to === undefined || value < BigInt(to)),
            );
            if (holding.length !== 1) throw new Error(`${value} lies in ${holding.length} ranges`);
          }
        },
      ),
    );
  });

  it("are cut evenly from a histogram, with NULLs in the first", () => {
    expect(histogramBounds(["a", "b", "c", "d", "e", "f", "g", "h", "i"], 4)).toEqual(["c", "e", "g"]);
    expect(histogramBounds([1, 1, 1, 1, 2], 4)).toEqual([1]);
    expect(histogramBounds([1], 4)).toEqual([]);
    const conditions = rangesOf(["1", "2"]).map((range) => rangeCondition("c", range));
    expect(conditions).toEqual(["(c < 1 OR c IS NULL)", "(c >= 1 AND c < 2)", "(c >= 2)"]);
    expect(rangesOf([]).map((range) => rangeCondition("c", range))).toEqual(["(1 = 1)"]);
  });
});

describe("an error of a client library", () => {
  const facts = { name: "sales", password: "hunter2" };

  it.each([
    ["pg", postgresError],
    ["mysql2", mysqlError],
  ])("of %s that is a mistake in code is no fault of the network", (_library, asDriverError) => {
    const mistake = new TypeError("Cannot read properties of undefined (reading 'rows')");
    expect(asDriverError(mistake, facts)).toMatchObject({ reason: "INTERNAL", retryable: false, cause: mistake });
    expect(asDriverError(new TypeError("no hunter2"), facts).cause).toBeUndefined();
    const broken = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    expect(asDriverError(broken, facts)).toMatchObject({ reason: "CONNECTION_FAILED", retryable: true });
    const garbage = new RangeError("The value of offset is out of range");
    expect(asDriverError(garbage, facts)).toMatchObject({ reason: "CONNECTION_FAILED" });
  });
});
