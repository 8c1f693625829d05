import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { isAtLeast } from "../../src/access/model.ts";
import { type Answer, ask, askedText, type Caller, type Request } from "../helpers/access-callers.ts";
import type { Ask, Row } from "../helpers/access-expectations.ts";
import { LEDGER, leases, maySee, SALES, type Scene, type SignName, setScene, signs } from "../helpers/access-scene.ts";
import { table } from "../helpers/access-table.ts";
import { pathOf } from "../helpers/grpc-client.ts";

const GENERATED = join(import.meta.dirname, "../../src/gen/drover/v1");

let scene: Scene;
/** Of streams that are read behind all calls. */
const opened = new Map<string, Promise<Answer>>();

beforeAll(async () => {
  scene = await setScene();
  for (const row of table)
    for (const each of row.asks.filter(({ isLast }) => isLast !== undefined))
      for (const caller of scene.callers)
        opened.set(keyOf(row.method, caller), ask(caller, requestOf(row, each, caller, SALES)));
  await vi.waitFor(async () => expect(await leases(scene.admin)).toBe(scene.callers.length), { timeout: 30_000 });
  await scene.publish();
});

afterAll(async () => {
  await scene?.[Symbol.asyncDispose]();
});

const keyOf = (method: DescMethod, { name }: Caller) => `${pathOf(method)} ${name}`;

test("the table has every method of the contract once", async () => {
  const files = (await readdir(GENERATED)).filter((file) => file.endsWith("_service_pb.js"));
  const modules: Readonly<Record<string, unknown>>[] = await Promise.all(
    files.map((file) => import(join(GENERATED, file))),
  );
  const services = modules
    .flatMap((module) => Object.values(module))
    .filter((value): value is DescService => (value as DescService).kind === "service");
  const paths = services.flatMap(({ methods }) => methods.map(pathOf));
  expect(paths.length).toBeGreaterThan(0);
  expect(table.map(({ method }) => pathOf(method)).sort()).toEqual(paths.sort());
});

test.each(table.map((row) => [pathOf(row.method), row] as const))("%s keeps to roles and scopes", async (_, row) => {
  for (const each of row.asks) {
    const found = await Promise.all(scene.callers.map((caller) => problems(row, each, caller)));
    expect(found.flat()).toEqual([]);
  }
});

/** What is wrong with how a caller was answered. */
async function problems(row: Row, each: Ask, caller: Caller): Promise<readonly string[]> {
  const isEnough = row.least === "anyone" || isAtLeast(caller.role, row.least);
  const refusal = isEnough ? each.about.refusal(caller) : "ACCESS_DENIED";
  if (refusal === undefined) await each.before?.(caller, scene);
  const dataset = each.dataset?.(caller) ?? SALES;
  const expected = refusal ?? each.endsFor?.[caller.reach] ?? each.ends;
  const wrong = await wrongIn(requestOf(row, each, caller, dataset), caller, expected, each.shows);
  if (!isEnough || each.about.elsewhere === undefined) return wrong;
  const isSeen = maySee("ledger", caller);
  if (isSeen && !each.about.isHarmless) return wrong;
  const elsewhere = requestOf(row, each, caller, LEDGER);
  return [...wrong, ...(await wrongIn(elsewhere, caller, isSeen ? undefined : each.about.elsewhere))];
}

async function wrongIn(
  request: Request,
  caller: Caller,
  expected: string | undefined,
  shows: readonly SignName[] = [],
): Promise<readonly string[]> {
  const said = askedText(request);
  const { text, reason } = await ((request.isLast && opened.get(keyOf(request.method, caller))) ??
    ask(caller, request));
  const of = `${caller.name}, asking ${said.split("\n")[0]}`;
  const wrong =
    reason === expected ? [] : [`${of}: ${reason ?? "answered"}, not ${expected ?? "answered"}: ${text.slice(0, 300)}`];
  for (const name of Object.keys(signs) as SignName[]) {
    const { isIn } = signs[name];
    // What somebody has said himself tells him nothing.
    if (isIn(text) && !maySee(name, caller) && !isIn(said)) wrong.push(`${of}: shows ${name}: ${around(text, name)}`);
    if (expected === undefined && shows.includes(name) && maySee(name, caller) && !isIn(text))
      wrong.push(`${of}: does not show ${name}: ${text.slice(0, 300)}`);
  }
  return wrong;
}

function around(text: string, name: SignName): string {
  const lines = text.split("\n").filter((line) => signs[name].isIn(line));
  return lines.map((line) => line.slice(0, 500)).join("\n");
}

function requestOf({ method }: Row, each: Ask, caller: Caller, dataset: string): Request {
  const request = each.request({ caller, dataset });
  const messages = Array.isArray(request) ? request : [request];
  return { method, messages, ...(each.isLast && { isLast: each.isLast }) };
}
