import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { connect, type Drover, DroverError } from "@drover/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ReadableVersion } from "../../src/engine/engine.ts";
import { type CaseEngine, openCaseEngine } from "../helpers/case-engine.ts";
import { type Case, type CaseDataset, loadCases, matchesCell, sameValue } from "../helpers/cases.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

/** A result as a client shows it: values as docs/types.md writes them in JSON. */
interface Answer {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let engine: CaseEngine;
let driver: TestDriver;
let client: Drover;
const loaded = new Map<string, Promise<string>>();

beforeAll(async () => {
  folder = await temporaryFolder();
  engine = await openCaseEngine();
  driver = await startDriver();
  client = await connect({ address: driver.address, token: driver.token });
});
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await driver[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** Loads a case's dataset into the driver once; answers its name there. Files reuse names for different data. */
function datasetOf({ dataset }: Case, version: ReadableVersion): Promise<string> {
  const key = `${dataset.name} ${dataset.sql}`;
  const name = loaded.get(key) ?? loadDataset(dataset, version, `case-${loaded.size}`);
  loaded.set(key, name);
  return name;
}

async function loadDataset(_: CaseDataset, { segmentPaths }: ReadableVersion, name: string): Promise<string> {
  const place = join(folder.path, name);
  await mkdir(place);
  for (const [index, path] of segmentPaths.entries()) await copyFile(path, join(place, `${index}.parquet`));
  await (await client.load(name, { uri: `${place}/*.parquet` })).result();
  return name;
}

async function throughNodeClient(query: Case["query"]): Promise<Answer> {
  const frame = await client.ask({ aggregate: query } as never, { integers: "string" }).frame();
  return { columns: frame.columns.map(({ name }) => name), rows: frame.values.map((row) => row.map(named)) };
}

/** The client gives NaN and infinities as numbers. */
function named(value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

async function throughJson(query: Case["query"]): Promise<Answer> {
  const response = await postQuery(query);
  const body = (await response.json()) as { columns?: { name?: string }[]; rows?: { values?: unknown[] }[] };
  expect(response.status, JSON.stringify(body)).toBe(200);
  return {
    columns: (body.columns ?? []).map(({ name }) => name ?? ""),
    rows: (body.rows ?? []).map(({ values }) => values ?? []),
  };
}

function postQuery(query: Case["query"]): Promise<Response> {
  return fetch(`http://${driver.address}/drover.v1.QueryService/Query`, {
    method: "POST",
    headers: { authorization: `Bearer ${driver.token}`, "content-type": "application/json" },
    body: JSON.stringify({ question: { aggregate: query } }),
  });
}

function expectAnswer(answer: Answer, { expected }: Case): void {
  expect(answer.columns).toEqual(expected?.columns);
  const rows = expected?.rows ?? [];
  const same =
    rows.length === answer.rows.length &&
    rows.every((cells, y) => cells.every((cell, x) => matchesCell(answer.rows[y]?.[x], cell)));
  if (!same) expect(answer.rows).toEqual(rows);
}

describe.each(loadCases().map((each) => [`${each.name} (${each.place})`, each] as const))("%s", (_, each) => {
  test(each.error === undefined ? "is the same through every client" : "is refused to every client", async () => {
    const version = await engine.version(each.dataset);
    const query = { ...each.query, dataset: await datasetOf(each, version) };
    if (each.error === undefined) {
      const answers = [await throughNodeClient(query), await throughJson(query)];
      const independent = await engine.runSql(each.sql ?? "", version);
      for (const answer of answers) {
        expectAnswer(answer, each);
        for (const [y, row] of answer.rows.entries())
          for (const [x, value] of row.entries())
            if (!sameValue(value, independent.rows[y]?.[x])) expect(row).toEqual(independent.rows[y]);
      }
    } else {
      const error = await throughNodeClient(query).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(DroverError);
      const { reason, violations } = error as DroverError;
      // What a field rule of the contract forbids is refused before the planner sees it.
      expect([each.error.reason, "INVALID_REQUEST"]).toContain(reason);
      const { field } = each.error;
      expect(violations[0]?.field).toBe(`question.aggregate${field === "" ? "" : `.${field}`}`);
      const response = await postQuery(query);
      expect(response.status).toBe(400);
    }
  });
});
