import { createWriteStream, existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { bareEngine } from "./bare-engine.ts";

const flightsParquet = join(import.meta.dirname, "../../node_modules/vega-datasets/data/flights-3m.parquet");

/** 3 M flights as CSV, about 100 MB. */
export function flightsCsv(cache: string): Promise<string> {
  return generated(join(cache, "flights-3m.csv"), `SELECT * FROM read_parquet('${flightsParquet}')`);
}

/** `millions` million sales of mixed types, about 60 MB a million; the rows are the same at every run. */
export function salesCsv(cache: string, millions: number): Promise<string> {
  return generated(
    join(cache, `sales-${millions}m.csv`),
    `SELECT i AS id,
            TIMESTAMP '2020-01-01' + to_seconds((hash(i) % 126230400)::BIGINT) AS sold_at,
            'customer-' || (hash(i + 1) % 500000) AS customer,
            ['Berlin', 'Paris', 'Madrid', 'Rome', 'Lisbon', 'Vienna', 'Oslo', 'Dublin'][(1 + hash(i + 2) % 8)::BIGINT] AS city,
            (hash(i + 3) % 100)::INTEGER AS quantity,
            ((hash(i + 4) % 1000000) / 100)::DECIMAL(10, 2) AS price
     FROM range(${millions * 1_000_000}) numbers(i)`,
  );
}

/** 2,000 columns of small numbers, 20,000 rows. */
export function wideCsv(cache: string): Promise<string> {
  const columns = Array.from(
    { length: 2000 },
    (_, column) => `(hash(i * 2000 + ${column}) % 1000)::INTEGER AS c${column}`,
  );
  return generated(join(cache, "wide-2000.csv"), `SELECT ${columns.join(", ")} FROM range(20000) numbers(i)`);
}

/** Sales as XML, so many bytes at least: attributes, nested elements, entities and a repeated element in records of 280 bytes. */
export async function salesXml(cache: string, bytes: number): Promise<string> {
  const path = join(cache, `sales-${bytes / 1e6}mb.xml`);
  if (existsSync(path)) return path;
  await pipeline(salesDocument(bytes), createWriteStream(`${path}.part`));
  await rename(`${path}.part`, path);
  return path;
}

const CITIES = ["Berlin", "Paris", "Madrid", "Rome", "Lisbon", "Vienna"];

function* salesDocument(bytes: number): Generator<string> {
  yield '<?xml version="1.0" encoding="UTF-8"?>\n<sales>\n';
  for (let written = 0, id = 0; written < bytes; ) {
    let part = "";
    for (let record = 0; record < 1_000; record++, id++) part += sale(id);
    written += part.length;
    yield part;
  }
  yield "</sales>\n";
}

function sale(id: number): string {
  const chance = Math.imul(id, 2_654_435_761) >>> 0;
  const day = `2024-${String(1 + (chance % 12)).padStart(2, "0")}-${String(1 + (chance % 28)).padStart(2, "0")}`;
  return `  <sale id="${id}" channel="${chance % 3 === 0 ? "shop" : "web"}">
    <date>${day}</date>
    <customer>
      <name>Customer &amp; Sons ${chance % 50_000}</name>
      <city>${CITIES[chance % 6]}</city>
    </customer>
    <quantity>${chance % 100}</quantity>
    <price currency="EUR">${(chance % 100_000) / 100}</price>
    <tag>t${chance % 7}</tag>
    <tag>u${chance % 5}</tag>
  </sale>
`;
}

async function generated(path: string, select: string): Promise<string> {
  if (existsSync(path)) return path;
  const engine = await bareEngine();
  // Written beside and renamed, so that an interrupted run leaves no half file behind.
  await engine.run(`COPY (${select}) TO '${path}.part' (FORMAT csv, HEADER)`);
  await rename(`${path}.part`, path);
  engine.closeSync();
  return path;
}
