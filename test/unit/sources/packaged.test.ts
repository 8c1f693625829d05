import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Connector,
  ConnectorError,
  type PartitionContent,
  type SourcePlan,
  type SourceSession,
} from "@drover/connector";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { LoadSession } from "../../../src/loading/worker/load-session.ts";
import type { Source, SourceContext } from "../../../src/sources/connector.ts";
import { packagedConnector } from "../../../src/sources/packaged/packaged-connector.ts";
import { LIMITS, LoadLab } from "../../helpers/load-engine.ts";
import { labContext } from "../../helpers/source-load.ts";

const whose = { kind: "acme", package: "acme-connector", version: "1.2.0" };
const metadata = { package: "acme-connector", version: "1.2.0", kind: "acme" };
let lab: LoadLab;

beforeAll(async () => {
  lab = await LoadLab.open();
});
afterAll(() => lab[Symbol.asyncDispose]());

/** A connector whose session is this, and harmless otherwise. */
function acme(session: Partial<SourceSession>, more: Partial<Connector> = {}): Connector {
  return {
    kind: "acme",
    open: async () => ({
      test: async () => ({ description: "acme" }),
      plan: async () => ({ columns: [{ name: "n", type: "INTEGER" }], partitions: [{}] }),
      read: async () => ({ form: "batches", batches: batches({ rows: 1, columns: [[1]] }) }),
      [Symbol.asyncDispose]: async () => undefined,
      ...session,
    }),
    ...more,
  };
}

async function* batches<T>(...all: readonly T[]): AsyncGenerator<T> {
  yield* all;
}

async function open(connector: Connector, source: Partial<Source> = {}, context: Partial<SourceContext> = {}) {
  const given = { kind: "acme", uri: "", options: {}, ...source };
  return packagedConnector(connector, whose).open(given, { ...(await labContext(lab)), ...context });
}

/** Loads all that a session gives, as a worker does. */
async function load(connector: Connector, source: Partial<Source> = {}) {
  const [context, directory] = [await labContext(lab), await lab.folder()];
  const { signal, workDirectory } = context;
  await using session = await open(connector, source, context);
  const listener = { onProgress: () => undefined, onPhase: () => undefined, onWarning: () => undefined };
  const engine = async () => lab.engine;
  const work = new LoadSession({ session, engine, signal, directory, workDirectory, limits: LIMITS, listener });
  const { partitions } = await work.plan(1);
  const written = [];
  for (const [number, partition] of partitions.entries()) written.push(await work.read(partition, number));
  await work.requireUnchanged();
  return lab.values(directory, written[0] ?? expect.unreachable());
}

const failed = (message: string) =>
  expect.objectContaining({ reason: "CONNECTOR_FAILED", message: `acme-connector@1.2.0: ${message}`, metadata });

describe("what a package's connector throws", () => {
  test("reaches the user by its reason where it is a ConnectorError, also one of another copy of the interface", async () => {
    const error = new ConnectorError("LOGIN_REFUSED", "no such user ann", { user: "ann" });
    class OtherCopy extends Error {
      override readonly name = "ConnectorError";
      readonly reason = "SOURCE_NOT_FOUND";
      readonly metadata = { table: "t" };
    }
    const thrown = async (error: Error) => open(acme({}, { open: () => Promise.reject(error) })).catch((e) => e);
    expect(await thrown(error)).toMatchObject({
      reason: "LOGIN_REFUSED",
      message: error.message,
      metadata: { user: "ann" },
    });
    expect(await thrown(new OtherCopy("gone"))).toBeInstanceOf(DriverError);
    expect(await thrown(new OtherCopy("gone"))).toMatchObject({ reason: "SOURCE_NOT_FOUND", message: "gone" });
  });

  test.each<[string, unknown, string]>([
    ["an error", new TypeError("x is not a function\nat some place"), "x is not a function"],
    ["a text", "oops", "oops"],
    ["nothing", undefined, "undefined"],
    ["an error without words", new RangeError(), "RangeError"],
    ["what has no text", { toString: () => Promise.reject.call(null) }, "it threw something that has no text"],
    [
      "a reason that is the driver's own",
      Object.assign(new ConnectorError("LOGIN_REFUSED", "x"), { reason: "DISK_FULL" }),
      "x",
    ],
  ])("names the package otherwise: %s", async (_, thrown, message) => {
    const session = await open(acme({ test: () => Promise.reject(thrown) }));
    await expect(session.test()).rejects.toEqual(failed(message));
  });

  test("names the package whichever call it is, in the middle of a reading too, and at the end", async () => {
    const fail = () => {
      throw new Error("now");
    };
    async function* late() {
      yield { rows: 1, columns: [[1]] };
      fail();
    }
    const reading = (content: PartitionContent) => load(acme({ read: async () => content }));
    await expect(load(acme({ plan: fail }))).rejects.toEqual(failed("now"));
    await expect(reading({ form: "batches", batches: late() })).rejects.toEqual(failed("now"));
    await expect(load(acme({ requireUnchanged: fail }))).rejects.toEqual(failed("now"));
    await expect(load(acme({ [Symbol.asyncDispose]: fail }))).rejects.toEqual(failed("now"));
    const { listTables } = await open(acme({ listTables: fail }));
    await expect(listTables?.()[Symbol.asyncIterator]().next()).rejects.toEqual(failed("now"));
  });

  test("is what the call was stopped by, once it is stopped", async () => {
    const controller = new AbortController();
    const session = await open(
      acme({ test: () => Promise.reject(new Error("socket closed")) }),
      {},
      { signal: controller.signal },
    );
    const reason = new DriverError("CANCELLED", "enough");
    controller.abort(reason);
    await expect(session.test()).rejects.toBe(reason);
  });

  test("tells of a full disk by that", async () => {
    const full = Object.assign(new Error("write failed"), { code: "ENOSPC" });
    const session = await open(acme({ test: () => Promise.reject(full) }));
    await expect(session.test()).rejects.toBe(full);
  });
});

describe("what a package's connector answers is checked:", () => {
  const planned = (plan: unknown) => load(acme({ plan: async () => plan as SourcePlan }));
  const column = { name: "n", type: "INTEGER" };

  test.each<[string, unknown, string]>([
    ["no partitions", { columns: [column] }, "its plan's partitions are no list"],
    ["no columns", { columns: [], partitions: [{}] }, "its plan has no columns"],
    ["a column without a name", { columns: [{ type: "DATE" }], partitions: [{}] }, "a column of its plan has no name"],
    ["a name twice", { columns: [column, column], partitions: [{}] }, 'its plan has the column "n" twice'],
    [
      "SQL in the place of a type",
      { columns: [{ name: "n", type: "INTEGER); DROP TABLE x" }], partitions: [{}] },
      'column "n" of its plan has the type "INTEGER); DROP TABLE x", which is none',
    ],
  ])("a plan with %s", async (_, plan, message) => {
    await expect(planned(plan)).rejects.toEqual(failed(message));
  });

  test.each<[string, unknown, string]>([
    ["no number of rows", { columns: [[1]] }, "a batch does not say its number of rows"],
    ["another number of columns", { rows: 1, columns: [[1], [2]] }, "a batch has 2 columns; its plan has 1"],
    ["another number of values", { rows: 2, columns: [[1]] }, "a column of a batch has 1 values for 2 rows"],
    ["a date", { rows: 1, columns: [[new Date(0)]] }, "a value is neither text, number, boolean nor bytes"],
  ])("a batch with %s", async (_, batch, message) => {
    const content = { form: "batches", batches: batches(batch) } as unknown as PartitionContent;
    await expect(load(acme({ read: async () => content }))).rejects.toEqual(failed(message));
  });

  test("content of an unknown form, and text that is no bytes", async () => {
    const reading = (content: unknown) => load(acme({ read: async () => content as PartitionContent }));
    await expect(reading({ form: "arrow" })).rejects.toEqual(failed('it read something of the form "arrow"'));
    await expect(reading({ form: "text", chunks: batches("1\n") })).rejects.toEqual(
      failed("a chunk of its text is no Uint8Array"),
    );
  });

  test("a value that its column can't hold", async () => {
    const batch = { rows: 1, columns: [["many"]] };
    const error = await load(acme({ read: async () => ({ form: "batches", batches: batches(batch) }) })).catch(
      (e) => e,
    );
    expect(error).toMatchObject({ reason: "LOAD_TYPE_MISMATCH" });
  });
});

describe("files that a package's connector reads", () => {
  test("are found by the worker, and only those may it hand to the engine", async () => {
    const path = await lab.file("some.acme", "a;b\n1;x\n");
    const outside = await lab.file("other.csv", "a;b\n2;y\n");
    const reading = (
      paths: (context: { workDirectory: string }, found: readonly string[]) => Promise<readonly string[]>,
    ) =>
      acme(
        {},
        {
          open: async (_, context) => {
            const found = await context.files();
            return {
              test: async () => ({ description: "" }),
              plan: async () => ({ columns: undefined, partitions: [{}] }),
              read: async () => ({
                form: "files",
                scan: {
                  kind: "csv",
                  csv: { delimiter: ";" },
                  paths: await paths(
                    context,
                    found.map(({ path }) => path),
                  ),
                },
              }),
              [Symbol.asyncDispose]: async () => undefined,
            };
          },
        },
      );
    const source = { uri: join(lab.path, "*.acme") };
    expect(
      await load(
        reading(async (_, found) => found),
        source,
      ),
    ).toEqual([["1", "x"]]);
    const made = reading(async ({ workDirectory }) => {
      const copy = join(workDirectory, "copy.csv");
      await writeFile(copy, "a;b\n3;z\n");
      return [copy];
    });
    expect(await load(made, source)).toEqual([["3", "z"]]);
    const refused = failed(`${outside} is neither a file of the source nor in the session's folder`);
    await expect(
      load(
        reading(async () => [outside]),
        source,
      ),
    ).rejects.toEqual(refused);
    const linked = reading(async ({ workDirectory }) => {
      const link = join(workDirectory, "link.csv");
      await symlink(outside, link);
      return [link];
    });
    await expect(load(linked, source)).rejects.toMatchObject({ reason: "CONNECTOR_FAILED" });
    await expect(
      load(
        reading(async (_, found) => found),
        { uri: join(lab.path, "none.acme") },
      ),
    ).rejects.toMatchObject({
      reason: "SOURCE_NOT_FOUND",
    });
    expect(path).not.toBe(outside);
  });

  test("must not change until all is read, without a word of the connector about it", async () => {
    const path = await lab.file("changing.acme", "1\n");
    const changing = acme(
      {},
      {
        open: async (_, context) => {
          await context.files();
          return acme({
            read: async () => {
              await writeFile(path, "1\n2\n");
              return { form: "batches", batches: batches({ rows: 1, columns: [[1]] }) };
            },
          }).open({ kind: "acme", uri: "", options: {} }, context);
        },
      },
    );
    await expect(load(changing, { uri: path })).rejects.toMatchObject({ reason: "SOURCE_CHANGED" });
  });

  test("lie under the folders that the driver may read", async () => {
    await mkdir(join(lab.path, "root"));
    const path = await lab.file("outside.acme", "1\n");
    const asking = acme(
      {},
      { open: async (_, context) => expect.unreachable(`it found ${(await context.files()).length}`) },
    );
    const roots = { fileRoots: [join(lab.path, "root")] };
    await expect(open(asking, { uri: path }, roots)).rejects.toMatchObject({ reason: "PATH_NOT_ALLOWED" });
  });
});

test("a package's connector gets its source and options, and nothing of how the driver fetches files", async () => {
  const seen: unknown[] = [];
  const seeing = acme(
    {},
    {
      open: async (source, context) => {
        seen.push(source, Object.keys(context).sort());
        return acme({}).open(source, context);
      },
    },
  );
  await open(seeing, {
    uri: "https://example.net/x.acme",
    options: { table: "t", secret: "env:DROVER_SECRET_X", "headers.accept": "*/*" },
    authorization: "Bearer abc",
  });
  expect(seen[0]).toEqual({ kind: "acme", uri: "https://example.net/x.acme", options: { table: "t" } });
  expect(seen[1]).toEqual(["files", "onPhase", "onProgress", "signal", "statement", "workDirectory"]);
});
