import { chmod, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Lineage } from "../../../src/datasets/model.ts";
import { specOfLineage } from "../../../src/definitions/model.ts";
import { readSecretFile } from "../../../src/definitions/secrets/secret-file.ts";
import type { SourceSpec } from "../../../src/sources/connector.ts";
import { type DefinitionBench, openDefinitionBench } from "../../helpers/definitions.ts";
import { librarySet, setPackage } from "../../helpers/set-manifests.ts";

const { signal } = new AbortController();
let bench: DefinitionBench;

beforeAll(async () => {
  bench = await openDefinitionBench();
  Object.assign(bench.environment, { DROVER_SECRET_SALES: "old", OTHER: "x" });
});
afterAll(() => bench[Symbol.asyncDispose]());

function spec(uri: string, given: SourceSpec["options"] = {}): SourceSpec {
  return { format: undefined, uri, options: given };
}

async function passwordOf(secret: string): Promise<string | undefined> {
  const resolved = await bench.definitions.resolve(spec("server://h/db", { table: "t", secret }));
  return (await resolved.open({ signal })).server?.password;
}

async function secretFile(name: string, text: string, mode = 0o600): Promise<string> {
  const path = join(bench.folder, name);
  await writeFile(path, text, { mode });
  await chmod(path, mode);
  return path;
}

describe("a file", () => {
  it("comes through as it was named, with its kind", async () => {
    const resolved = await bench.definitions.resolve({ ...spec("/a/b.csv", { header: true }), limit: 5 });
    expect(resolved).toMatchObject({ kind: { kind: "csv" }, named: { format: "csv", uri: "/a/b.csv", limit: 5 } });
    expect(resolved.statements).toBeUndefined();
    expect(await resolved.open({ signal })).toEqual({
      kind: "csv",
      uri: "/a/b.csv",
      options: { header: true },
      limit: 5,
    });
  });
});

describe("a server's URL", () => {
  it("parts the options of its connection from those of the source", async () => {
    const uri = "server://h:5432/db?ssl=1";
    const resolved = await bench.definitions.resolve(spec(uri, { table: "t", user: "u" }));
    expect(resolved.statements).toEqual({ connection: "server://h:5432/db", limit: 3 });
    expect(await resolved.open({ signal })).toEqual({
      kind: "server",
      uri,
      options: { table: "t" },
      server: { name: "server://h:5432/db", uri, options: { user: "u" } },
    });
  });

  it("has its secret read at the start of the work, and shown nowhere", async () => {
    const resolved = await bench.definitions.resolve(
      spec("server://h/db", { table: "t", secret: "env:DROVER_SECRET_SALES" }),
    );
    bench.environment.DROVER_SECRET_SALES = "rotated";
    const source = await resolved.open({ signal });
    expect(source.server?.password).toBe("rotated");
    expect(JSON.stringify([resolved.named, resolved.meaning, resolved.statements])).not.toContain("rotated");
    expect(source.options).toEqual({ table: "t" });
  });

  it.each([
    ["server://u:hunter2@h/db", {}],
    ["server://u:hun/ter2@h/db", {}],
    ["server://u:hun?ter2#@h/db", {}],
    ["unknown://u:hunter2@h/db", {}],
    ["server://h/db?user=u&password=hunter2", {}],
    ["server://h/db;pass%77ord=hunter2", {}],
    ["server://address=(host=h)(user=u)(password=hunter2)/db", {}],
    ["https://u:hunter2@h/a.csv", {}],
    ["server://h/db", { password: "hunter2" }],
    ["server://h/db", { PWD: "hunter2" }],
  ])("is refused with a password in the open, without showing it (%#)", async (uri, given) => {
    const failure = await bench.definitions.resolve(spec(uri, given)).catch((error: unknown) => error);
    expect(failure).toMatchObject({ reason: "INVALID_CONNECTION" });
    expect(String(failure) + JSON.stringify(failure)).not.toMatch(/hun|ter2/);
  });

  it.each([
    "server://u@h:5432/db",
    "server://h:5432,i:5433/db",
    "server://[::1]:5432/db",
    "server:///db?host=/run/u@h",
  ])("may name user, port and several hosts: %s", async (uri) => {
    await expect(bench.definitions.resolve(spec(uri))).resolves.toMatchObject({ named: { uri } });
  });

  it("and a file's may hold colons and signs", async () => {
    await expect(bench.definitions.resolve(spec("https://h:8080/x@y:2.csv"))).resolves.toBeDefined();
    await expect(bench.definitions.resolve(spec("file:///x:y@z.csv"))).resolves.toBeDefined();
  });
});

describe("a secret", () => {
  it.each([
    "hunter2",
    "env:OTHER",
    "env:DROVER_TOKEN",
    "env:DROVER_SECRET_",
    "env:DROVER_SECRET_x",
    "file:relative",
    "file:",
  ])("is no %s", async (secret) => {
    const failure = await passwordOf(secret).catch((error: unknown) => error);
    expect(failure).toMatchObject({ reason: "SECRET_FORBIDDEN" });
    expect(String(failure)).not.toContain("hunter2");
  });

  it("that is no text is not shown", async () => {
    const failure = await bench.definitions
      .resolve(spec("server://h/db", { secret: ["hunter2"] }))
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ reason: "INVALID_OPTION" });
    expect(String(failure) + JSON.stringify(failure)).not.toContain("hunter2");
  });

  it("that is missing or empty fails the start of the work", async () => {
    bench.environment.DROVER_SECRET_EMPTY = "";
    for (const secret of [
      "env:DROVER_SECRET_MISSING",
      "env:DROVER_SECRET_EMPTY",
      `file:${join(bench.folder, "allowed/none")}`,
      `file:${await secretFile("allowed/empty", "\n")}`,
      `file:${join(bench.folder, "allowed")}`,
    ])
      await expect(passwordOf(secret)).rejects.toMatchObject({ reason: "SECRET_UNAVAILABLE" });
  });

  it("is read from a file of the driver's user, without the last line end", async () => {
    expect(await passwordOf(`file:${await secretFile("allowed/one", "a b\n\n")}`)).toBe("a b\n");
  });

  it("is not read from a file that others may read, or outside of the folders that the driver may read", async () => {
    const open = await secretFile("allowed/open", "x", 0o640);
    await expect(passwordOf(`file:${open}`)).rejects.toMatchObject({ reason: "SECRET_FORBIDDEN" });
    const outside = await secretFile("outside", "x");
    const link = join(bench.folder, "allowed/link");
    await symlink(outside, link);
    for (const path of [outside, link, join(bench.folder, "allowed/../outside"), join(bench.folder, "nowhere")])
      await expect(passwordOf(`file:${path}`)).rejects.toMatchObject({ reason: "PATH_NOT_ALLOWED" });
  });
});

describe("a secret's file", () => {
  it("is none of the driver's own, by whatever path", async () => {
    const own = await secretFile("allowed/own/token", "x");
    const link = join(bench.folder, "allowed/link-to-own");
    await symlink(own, link);
    for (const path of [own, link, join(bench.folder, "allowed/own/../own/token")])
      await expect(passwordOf(`file:${path}`)).rejects.toMatchObject({ reason: "SECRET_FORBIDDEN" });
    const beside = await secretFile("allowed/own-not", "y");
    expect(await passwordOf(`file:${beside}`)).toBe("y");
  });

  it("is nothing that the system tells of processes, though it belongs to the driver's user", async () => {
    const link = join(bench.folder, "environment");
    await symlink("/proc/self/environ", link);
    for (const path of ["/proc/self/environ", `/proc/${process.pid}/environ`, link])
      await expect(readSecretFile(path, undefined)).rejects.toMatchObject({ reason: "SECRET_FORBIDDEN" });
  });
});

describe("what a version's lineage says", () => {
  it("makes a source again of the source alone, not of what was done to the version", () => {
    const source = { uri: "upload:1", options: { header: true }, limit: 5 };
    const done = { operationId: "a", restoredFrom: 1, libraries: { packages: [] }, readTime: "2024-01-01T00:00:00Z" };
    const lineage: Lineage = { ...source, ...done, format: "csv" };
    expect(specOfLineage(lineage)).toEqual({ ...source, format: "csv" });
    expect(specOfLineage({ ...lineage, uri: "source:a" })).toEqual({ ...source, uri: "source:a", format: undefined });
  });
});

describe("a source that a library set reads", () => {
  const set = librarySet("warehouse", "a", {
    packages: [setPackage("pg", "8.11.3")],
    settings: {
      postgres: { transfer: "rows", tls: "require", applicationName: "bi" },
      csv: { delimiter: ";", timeout: "7" },
    },
    parsers: [{ package: "p", version: "1.0.0", module: "p.js" }],
  });
  let served: DefinitionBench;

  beforeAll(async () => {
    const rules = [{ pattern: "sales-*", set }];
    served = await openDefinitionBench({ all: [set], kinds: new Map([["csv", set]]), sources: rules });
    const { connections, sources } = served.definitions;
    const connection = { uri: "postgresql://u@h/db", secret: undefined, maxStatements: undefined, labels: {} };
    await connections.create(
      { ...connection, name: "sales-db", kind: undefined, options: { applicationName: "etl" } },
      undefined,
    );
    await connections.create({ ...connection, name: "other-db", kind: undefined, options: {} }, undefined);
    const table = { format: undefined, uri: "", options: { table: "t" } };
    const draft = { disabled: false, labels: {} };
    await sources.create({ ...draft, name: "orders", source: { ...table, connection: "sales-db" } });
    await sources.create({ ...draft, name: "sales-orders", source: { ...table, connection: "other-db" } });
    await sources.create({ ...draft, name: "plain", source: { ...table, connection: "other-db" } });
  });
  afterAll(() => served[Symbol.asyncDispose]());

  const openedOf = async (given: SourceSpec) => {
    const resolved = await served.definitions.resolve(given);
    return { set: resolved.set?.name, opened: await resolved.open({ signal }), resolved };
  };

  it("by its connection's name gets the set's options beneath those of both", async () => {
    const { set: used, opened, resolved } = await openedOf(spec("source:orders", { transfer: "copy" }));
    expect(used).toBe("warehouse");
    expect(opened.options).toEqual({ table: "t", transfer: "copy" });
    expect(opened.server?.options).toEqual({ tls: "require", applicationName: "etl" });
    expect(resolved.named).toMatchObject({ uri: "source:orders", options: { transfer: "copy" } });
  });

  it("by its own name gets them, too", async () => {
    const { set: used, opened } = await openedOf(spec("source:sales-orders"));
    expect(used).toBe("warehouse");
    expect(opened.options).toEqual({ table: "t", transfer: "rows" });
    expect(opened.server?.options).toEqual({ tls: "require", applicationName: "bi" });
  });

  it("is no other one of the same connection, and no URL", async () => {
    for (const given of [spec("source:plain"), spec("postgresql://u@h/db", { table: "t" })]) {
      const { set: used, opened } = await openedOf(given);
      expect(used).toBeUndefined();
      expect(opened.options).toEqual({ table: "t" });
      expect(opened.server?.options).toEqual({});
    }
  });

  it("by its kind leaves out what is of no use for a path", async () => {
    expect((await openedOf(spec("/a.csv", { header: true }))).opened.options).toEqual({ delimiter: ";", header: true });
    expect((await openedOf(spec("https://h/a.csv"))).opened.options).toEqual({ delimiter: ";", timeout: "7" });
  });

  it("is tested with the set of its connection's name, whose options its URL's parameters outdo", async () => {
    const draft = { name: "sales-x", kind: undefined, options: {}, secret: undefined, maxStatements: undefined };
    const uri = "postgresql://u@h/db?sslmode=disable";
    const resolved = await served.definitions.resolveConnection({ ...draft, uri, labels: {} }, undefined);
    expect(resolved.set?.name).toBe("warehouse");
    expect((await resolved.open({ signal })).server?.options).toEqual({ applicationName: "bi" });
  });

  it("is another load with other options of its set", async () => {
    const { resolved } = await openedOf(spec("source:orders"));
    expect(resolved.meaning).toMatchObject({ defaults: set.manifest.settings.postgres });
    expect((await openedOf(spec("source:plain"))).resolved.meaning).not.toHaveProperty("defaults");
  });
});
