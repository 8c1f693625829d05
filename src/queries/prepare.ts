import type { Access } from "../access/model.ts";
import type { DatasetStore } from "../datasets/model.ts";
import type { ReadableVersion, ReadEngine, Statement } from "../engine/engine.ts";
import type { AggregateQuery, Question } from "./model.ts";
import { Place, suggestion } from "./place.ts";
import { type PlannedQuery, planAggregate } from "./planner.ts";
import { PinnedVersions } from "./versions.ts";

/** A question that is ready to run; its versions are held until it is disposed. */
export interface PreparedQuestion extends AsyncDisposable {
  readonly versions: PinnedVersions;
  /** Absent for SQL. */
  readonly planned?: PlannedQuery;
  /** The statement over the given versions; over those that are pinned when left out. */
  statement(versions?: readonly ReadableVersion[]): Statement;
}

export interface PrepareOptions {
  readonly access: Access;
  readonly signal: AbortSignal;
}

interface Parts {
  readonly engine: ReadEngine;
  readonly datasets: DatasetStore;
}

/** Checks a question, pins what it reads and plans it. Nothing stays pinned if it throws. */
export async function prepareQuestion(
  question: Question,
  parts: Parts,
  options: PrepareOptions,
): Promise<PreparedQuestion> {
  return question.kind === "sql"
    ? prepareSql(question, parts, options)
    : prepareAggregate(question.query, parts, options);
}

async function prepareSql(
  { sql, parameters, versions: asked = {} }: Extract<Question, { kind: "sql" }>,
  { engine, datasets }: Parts,
  options: PrepareOptions,
): Promise<PreparedQuestion> {
  const checked = await engine.checkSql(sql, options);
  const unread = Object.keys(asked).find((dataset) => !checked.datasets.includes(dataset));
  if (unread !== undefined) {
    const place = new Place(`question.sql.versions[${JSON.stringify(unread)}]`);
    throw place.error(
      "INVALID_REQUEST",
      `the SELECT reads no dataset of this name${suggestion(unread, checked.datasets)}`,
    );
  }
  const wanted = checked.datasets.map((dataset) => ({ dataset, version: asked[dataset] ?? 0 }));
  const versions = await PinnedVersions.pin(datasets, wanted, options);
  return {
    versions,
    statement: (readable = versions.all()) => engine.renderSql(checked, parameters, readable),
    [Symbol.asyncDispose]: () => versions[Symbol.asyncDispose](),
  };
}

async function prepareAggregate(
  query: AggregateQuery,
  { engine, datasets }: Parts,
  options: PrepareOptions,
): Promise<PreparedQuestion> {
  const versions = await PinnedVersions.pin(datasets, [query], options);
  try {
    const planned = planAggregate(query, versions.schema(query.dataset));
    return {
      versions,
      planned,
      statement: ([readable = versions.readable(query.dataset)] = []) => engine.render(planned.plan, () => readable),
      [Symbol.asyncDispose]: () => versions[Symbol.asyncDispose](),
    };
  } catch (error) {
    await versions[Symbol.asyncDispose]();
    throw error;
  }
}
