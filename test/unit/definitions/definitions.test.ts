import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ConnectionDraft, SourceDraft } from "../../../src/definitions/model.ts";
import type { Portable } from "../../../src/definitions/portable.ts";
import { type DefinitionBench, openDefinitionBench } from "../../helpers/definitions.ts";

const { signal } = new AbortController();
const ANY = { etag: "" };
let bench: DefinitionBench;
beforeEach(async () => {
  bench = await openDefinitionBench();
});
afterEach(() => bench[Symbol.asyncDispose]());

function connection(name: string, more: Partial<ConnectionDraft> = {}): ConnectionDraft {
  const usual = {
    kind: undefined,
    uri: "server://h/db",
    options: {},
    secret: undefined,
    maxStatements: undefined,
    labels: {},
  };
  return { name, ...usual, ...more };
}

function source(name: string, more: Partial<SourceDraft["source"]> = {}): SourceDraft {
  const place = { uri: "", format: undefined, options: { table: "t" }, ...more };
  return { name, source: place, disabled: false, labels: {} };
}

async function opened(uri: string, options: Record<string, unknown> = {}) {
  const resolved = await bench.definitions.resolve({ uri, format: undefined, options });
  return resolved.open({ signal });
}

const reason = (wanted: string) => expect.objectContaining({ reason: wanted });

describe("a connection", () => {
  it("is kept, shown, changed and deleted, and every driver process sees it at once", async () => {
    const other = (await bench.other()).connections;
    const { connections } = bench.definitions;
    const created = await connections.create(
      connection("Sales DB", { labels: { a: "b" }, maxStatements: 2 }),
      undefined,
    );
    expect(created).toMatchObject({ name: "Sales DB", kind: "server", hasPassword: false, maxStatements: 2 });
    expect(await other.get("Sales DB")).toEqual({ ...created, usedBy: [] });
    const changed = await other.update("Sales DB", { options: { user: "u" }, maxStatements: 0 }, created);
    expect(changed).toMatchObject({ options: { user: "u" }, maxStatements: undefined, labels: { a: "b" } });
    expect(changed.etag).not.toBe(created.etag);
    expect(await connections.list()).toEqual([changed]);
    await connections.delete("Sales DB", changed);
    expect(await other.list()).toEqual([]);
  });

  it("has a name of its own, whatever the case", async () => {
    const { connections } = bench.definitions;
    await connections.create(connection("Sales"), undefined);
    await expect(connections.create(connection("sales"), undefined)).rejects.toThrow(reason("CONNECTION_EXISTS"));
    await expect(connections.get("sales")).rejects.toThrow('there is no connection "sales"; did you mean "Sales"?');
    await expect(connections.get("else")).rejects.toThrow(reason("CONNECTION_NOT_DEFINED"));
  });

  it.each([
    ["INVALID_CONNECTION", { uri: "" }],
    ["INVALID_CONNECTION", { uri: "/a.csv" }],
    ["INVALID_CONNECTION", { uri: "server://u:hunter2@h/db" }],
    ["INVALID_CONNECTION", { options: { password: "hunter2" } }],
    ["UNKNOWN_FORMAT", { uri: "unknown://h/db" }],
    ["UNKNOWN_FORMAT", { kind: "sever" }],
    ["UNKNOWN_OPTION", { options: { usr: "u" } }],
    ["SECRET_FORBIDDEN", { secret: "hunter2" }],
    ["SECRET_FORBIDDEN", { secret: "env:HOME" }],
  ] as const)("is refused as %s when it is wrong (%#)", async (wanted, more) => {
    const failure = await bench.definitions.connections
      .create(connection("c", more), undefined)
      .catch((error) => error);
    expect(failure).toEqual(reason(wanted));
    expect(String(failure) + JSON.stringify(failure)).not.toContain("hunter2");
    expect(await bench.definitions.connections.list()).toEqual([]);
  });

  it("that somebody has changed is not changed again without a look", async () => {
    const { connections } = bench.definitions;
    const read = await connections.create(connection("c"), undefined);
    await connections.update("c", { labels: { by: "somebody" } }, read);
    await expect(connections.update("c", { labels: {} }, read)).rejects.toThrow(reason("DEFINITION_CHANGED"));
    await expect(connections.delete("c", read)).rejects.toThrow(reason("DEFINITION_CHANGED"));
    await connections.delete("c", ANY);
    // One that is defined anew is another one, though nothing of it differs.
    await connections.create(connection("c"), undefined);
    await expect(connections.delete("c", read)).rejects.toThrow(reason("DEFINITION_CHANGED"));
  });

  it("in use is not deleted, and says who uses it", async () => {
    const { connections, sources } = bench.definitions;
    await connections.create(connection("c"), undefined);
    for (let at = 0; at < 12; at++) await sources.create(source(`s${at}`, { connection: "c" }));
    expect((await connections.get("c")).usedBy).toHaveLength(12);
    const failure = await connections.delete("c", ANY).catch((error) => error);
    expect(failure).toEqual(reason("CONNECTION_IN_USE"));
    expect(failure.message).toMatch(/is used by "s0", "s1", "s10", .*"s7" and 2 more$/);
    for (let at = 0; at < 12; at++) await sources.delete(`s${at}`, ANY);
    await connections.delete("c", ANY);
  });
});

describe("a password that is kept", () => {
  it("is shown nowhere, neither by the catalog nor by its key's file", async () => {
    const { connections } = bench.definitions;
    const created = await connections.create(connection("c"), "hunter2");
    expect(created.hasPassword).toBe(true);
    await bench.definitions.sources.create(source("s", { connection: "c" }));
    expect((await opened("source:s")).server).toEqual({
      name: "c",
      uri: "server://h/db",
      options: {},
      password: "hunter2",
    });
    const files = ["catalog.sqlite", "catalog.sqlite-wal", "secrets.key"];
    for (const file of files)
      expect(await readFile(join(bench.folder, "data", file), "latin1")).not.toContain("hunter2");
    expect((await stat(bench.keyFile)).mode & 0o777).toBe(0o600);
    const shown = [created, await connections.get("c"), await connections.list(), await bench.definitions.export([])];
    expect(JSON.stringify(shown)).not.toMatch(/hunter2|sealed/);
  });

  it("is rotated in one place, for loads that wait as well", async () => {
    const { connections, sources, resolve } = bench.definitions;
    await connections.create(connection("c"), "old");
    await sources.create(source("s", { connection: "c" }));
    const waits = await resolve({ uri: "source:s", format: undefined, options: {} });
    await (await bench.other()).connections.update("c", { password: "new" }, ANY);
    expect((await waits.open({ signal })).server?.password).toBe("new");
    bench.environment.DROVER_SECRET_C = "from the environment";
    await connections.update("c", { secret: "env:DROVER_SECRET_C" }, ANY);
    expect((await connections.get("c")).hasPassword).toBe(false);
    expect((await waits.open({ signal })).server?.password).toBe("from the environment");
    await connections.update("c", { secret: "" }, ANY);
    expect((await waits.open({ signal })).server).not.toHaveProperty("password");
  });

  it("is not sent elsewhere by somebody who does not know it", async () => {
    const { connections, resolveConnection } = bench.definitions;
    await connections.create(connection("c"), "hunter2");
    for (const change of [{ uri: "server://mine/db" }, { options: { user: "me" } }]) {
      await expect(connections.update("c", change, ANY)).rejects.toThrow(reason("PASSWORD_REQUIRED"));
      const test = resolveConnection(connection("c", change), undefined);
      await expect(test).rejects.toThrow(reason("PASSWORD_REQUIRED"));
    }
    await expect(
      connections.update("c", { uri: "server://mine/db", password: "x", secret: "env:DROVER_SECRET_X" }, ANY),
    ).rejects.toThrow(reason("INVALID_CONNECTION"));
    const same = await resolveConnection(connection("c"), undefined);
    expect((await same.open({ signal })).server?.password).toBe("hunter2");
    await connections.update("c", { uri: "server://mine/db", password: "mine" }, ANY);
    const moved = await resolveConnection(connection("c", { uri: "server://mine/db" }), undefined);
    expect((await moved.open({ signal })).server?.password).toBe("mine");
    // Nor by somebody who writes the catalog.
    const record = await bench.catalog.definitions.connections.find("c");
    if (record === undefined) throw new Error("no connection");
    await bench.catalog.definitions.connections.put({ ...record, uri: "server://elsewhere/db" });
    await bench.definitions.sources.create(source("s", { connection: "c" }));
    await expect(opened("source:s")).rejects.toThrow(reason("SECRET_UNAVAILABLE"));
  });

  it("is lost with its key, which is said", async () => {
    const { connections, sources } = bench.definitions;
    await connections.create(connection("c"), "hunter2");
    await sources.create(source("s", { connection: "c" }));
    const key = await readFile(bench.keyFile, "utf8");
    await rm(bench.keyFile);
    await expect(opened("source:s")).rejects.toThrow(reason("SECRET_UNAVAILABLE"));
    await writeFile(bench.keyFile, `${"A".repeat(43)}\n`, { mode: 0o600 });
    await expect(opened("source:s")).rejects.toThrow(reason("SECRET_UNAVAILABLE"));
    await writeFile(bench.keyFile, "broken");
    await expect(opened("source:s")).rejects.toThrow(reason("DATA_DIRECTORY_UNUSABLE"));
    await writeFile(bench.keyFile, key);
    expect((await opened("source:s")).server?.password).toBe("hunter2");
  });
});

describe("a source", () => {
  it("is resolved with its options, and those of a load in their place", async () => {
    const { connections, sources, resolve } = bench.definitions;
    await connections.create(connection("c", { options: { user: "u" }, maxStatements: 2 }), undefined);
    await sources.create(source("s", { connection: "c" }));
    const resolved = await resolve({ uri: "source:s", format: undefined, options: { table: "other" }, limit: 3 });
    expect(resolved.named).toEqual({ format: "server", uri: "source:s", options: { table: "other" }, limit: 3 });
    expect(resolved.statements).toEqual({ connection: "c", limit: 2 });
    expect(await resolved.open({ signal })).toEqual({
      kind: "server",
      uri: "",
      options: { table: "other" },
      limit: 3,
      server: { name: "c", uri: "server://h/db", options: { user: "u" } },
    });
    const before = resolved.meaning;
    await connections.update("c", { uri: "server://other/db" }, ANY);
    const after = await resolve({ uri: "source:s", format: undefined, options: { table: "other" }, limit: 3 });
    expect(after.meaning).not.toEqual(before);
  });

  it("of files is kept as well", async () => {
    await bench.definitions.sources.create(source("f", { uri: "/a.csv", options: { header: true } }));
    expect(await opened("source:f", { delimiter: ";" })).toEqual({
      kind: "csv",
      uri: "/a.csv",
      options: { header: true, delimiter: ";" },
    });
  });

  it("that is disabled is not loaded, but can be looked at", async () => {
    const { sources, resolve } = bench.definitions;
    await sources.create({ ...source("f", { uri: "/a.csv", options: {} }), disabled: true });
    const spec = { uri: "source:f", format: undefined, options: {} };
    await expect(resolve(spec)).rejects.toThrow(reason("SOURCE_DISABLED"));
    await expect(resolve(spec, { disabled: true })).resolves.toBeDefined();
    await sources.update("f", { disabled: false }, ANY);
    await expect(resolve(spec)).resolves.toBeDefined();
  });

  it.each([
    ["SOURCE_NOT_DEFINED", { uri: "source:none" }],
    ["INVALID_SOURCE", { uri: "source:f", format: "json" }],
    ["INVALID_SOURCE", { uri: "source:f", connection: "c" }],
    ["INVALID_SOURCE", { uri: "/a.csv", connection: "c" }],
    ["INVALID_SOURCE", { uri: "" }],
    ["INVALID_SOURCE", { connection: "c", format: "csv" }],
    ["CONNECTION_NOT_DEFINED", { connection: "none" }],
    ["INVALID_OPTION", { connection: "c", options: { user: "me" } }],
    ["INVALID_OPTION", { connection: "c", options: { secret: "env:DROVER_SECRET_X" } }],
    ["UNKNOWN_OPTION", { connection: "c", options: { tabel: "t" } }],
    ["UNKNOWN_OPTION", { uri: "source:f", options: { deliminator: ";" } }],
    ["INVALID_CONNECTION", { uri: "source:f", options: { password: "x" } }],
  ] as const)("is refused as %s when it is wrong (%#)", async (wanted, more) => {
    const { connections, sources, resolve } = bench.definitions;
    await connections.create(connection("c"), undefined);
    await sources.create(source("f", { uri: "/a.csv", options: {} }));
    const spec = { uri: "", format: undefined, options: {}, ...more };
    await expect(resolve(spec)).rejects.toThrow(reason(wanted));
    if (spec.uri.startsWith("source:"))
      await expect(sources.create(source("g", more))).rejects.toThrow(reason("INVALID_SOURCE"));
  });

  it("is changed and deleted only in the state that was read", async () => {
    const { sources } = bench.definitions;
    const read = await sources.create(source("f", { uri: "/a.csv", options: {} }));
    const changed = await sources.update("f", { source: { uri: "/b.tsv", format: undefined, options: {} } }, read);
    expect(changed.source).toEqual({ format: "tsv", uri: "/b.tsv", options: {} });
    await expect(sources.update("f", { disabled: true }, read)).rejects.toThrow(reason("DEFINITION_CHANGED"));
    await expect(sources.delete("f", read)).rejects.toThrow(reason("DEFINITION_CHANGED"));
    await expect(sources.create(source("F", { uri: "/a.csv" }))).rejects.toThrow(reason("SOURCE_EXISTS"));
    await sources.delete("f", changed);
    expect(await sources.list()).toEqual([]);
  });
});

describe("a document", () => {
  const options = { onConflict: "fail", validateOnly: false, signal } as const;
  const plain = ({ connections, sources }: Portable) => ({
    connections: connections.map(({ name, kind, uri, options: given, secret, maxStatements, labels, hasPassword }) => {
      return { name, kind, uri, options: given, secret, maxStatements, labels, hasPassword };
    }),
    sources: sources.map(({ name, source: place, disabled, labels }) => ({ name, source: place, disabled, labels })),
  });

  async function filled(): Promise<Portable> {
    const { connections, sources } = bench.definitions;
    bench.environment.DROVER_SECRET_A = "a";
    await connections.create(connection("a", { secret: "env:DROVER_SECRET_A", options: { user: "u" } }), undefined);
    await connections.create(connection("b", { maxStatements: 4, labels: { x: "y" } }), "hunter2");
    await connections.create(connection("unused"), undefined);
    await sources.create(source("one", { connection: "a" }));
    await sources.create({ ...source("two", { uri: "/a.csv", options: { header: true } }), disabled: true });
    await sources.create(
      source("three", { uri: "server://x/y", options: { table: "t", secret: "env:DROVER_SECRET_NONE" } }),
    );
    return plain(await bench.definitions.export([]));
  }

  it("brings everything but secrets to another data directory, and says which those are", async () => {
    const document = await filled();
    expect(JSON.stringify(document)).not.toContain("hunter2");
    await using target = await openDefinitionBench();
    target.environment.DROVER_SECRET_A = "other";
    expect(await target.definitions.import(document, options)).toEqual({
      createdConnections: ["a", "b", "unused"],
      replacedConnections: [],
      createdSources: ["one", "three", "two"],
      replacedSources: [],
      unchanged: [],
      missingSecrets: [
        { name: "b", secret: "" },
        { name: "three", secret: "env:DROVER_SECRET_NONE" },
      ],
    });
    const there = plain(await target.definitions.export([]));
    expect(there.sources).toEqual(document.sources);
    const without = document.connections.map((each) => ({ ...each, hasPassword: false }));
    expect(there.connections).toEqual(without);
    await target.definitions.connections.update("b", { password: "again" }, ANY);
    expect(plain(await target.definitions.export([]))).toEqual(document);
  });

  it("may hold some sources with the connections that they use", async () => {
    await filled();
    const some = await bench.definitions.export(["one", "two"]);
    expect(some.sources.map(({ name }) => name)).toEqual(["one", "two"]);
    expect(some.connections.map(({ name }) => name)).toEqual(["a"]);
    await expect(bench.definitions.export(["none"])).rejects.toThrow(reason("SOURCE_NOT_DEFINED"));
  });

  it("changes nothing where it is the same, and what differs as it is told", async () => {
    const document = await filled();
    const again = await bench.definitions.import(document, options);
    expect(again).toMatchObject({
      createdConnections: [],
      replacedConnections: [],
      createdSources: [],
      replacedSources: [],
    });
    expect(again.unchanged).toHaveLength(6);
    const changed: Portable = {
      connections: document.connections.map((each) => ({ ...each, labels: { z: "z" } })),
      sources: document.sources.map((each) => ({ ...each, disabled: true })),
    };
    await expect(bench.definitions.import(changed, options)).rejects.toThrow(reason("CONNECTION_EXISTS"));
    await expect(bench.definitions.import({ ...changed, connections: [] }, options)).rejects.toThrow(
      reason("SOURCE_EXISTS"),
    );
    const skipped = await bench.definitions.import(changed, { ...options, onConflict: "skip" });
    expect(skipped.unchanged).toHaveLength(6);
    expect(plain(await bench.definitions.export([]))).toEqual(document);
    const looked = await bench.definitions.import(changed, { ...options, onConflict: "replace", validateOnly: true });
    expect(looked.replacedSources).toEqual(["one", "three"]);
    expect(plain(await bench.definitions.export([]))).toEqual(document);
    const replaced = await bench.definitions.import(changed, { ...options, onConflict: "replace" });
    expect(replaced.replacedConnections).toEqual(["a", "b", "unused"]);
    // The password stays where the place stays.
    expect(replaced.missingSecrets).toEqual([{ name: "three", secret: "env:DROVER_SECRET_NONE" }]);
    expect(plain(await bench.definitions.export([]))).toEqual(changed);
    const moved = changed.connections.map((each) => ({ ...each, uri: "server://moved/db" }));
    const last = await bench.definitions.import(
      { connections: moved, sources: [] },
      { ...options, onConflict: "replace" },
    );
    expect(last.missingSecrets).toEqual([{ name: "b", secret: "" }]);
    expect((await bench.definitions.connections.get("b")).hasPassword).toBe(false);
  });

  it("that is wrong in one place changes nothing at all", async () => {
    const document = await filled();
    await using target = await openDefinitionBench();
    const broken = [...document.sources, source("broken", { connection: "none" })];
    const attempt = target.definitions.import({ ...document, sources: broken }, options);
    await expect(attempt).rejects.toThrow(reason("CONNECTION_NOT_DEFINED"));
    const twice = [...document.connections, ...document.connections.slice(0, 1)];
    const second = target.definitions.import({ ...document, connections: twice }, options);
    await expect(second).rejects.toThrow(reason("CONNECTION_EXISTS"));
    expect(await target.definitions.export([])).toEqual({ connections: [], sources: [] });
  });
});
