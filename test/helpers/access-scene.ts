import type { MessageInitShape } from "@bufbuild/protobuf";
import { DatasetService } from "../../src/gen/drover/v1/dataset_service_pb.js";
import { DriverService } from "../../src/gen/drover/v1/driver_service_pb.js";
import { MeasureOp } from "../../src/gen/drover/v1/query_pb.js";
import { QueryService, type QuestionSchema } from "../../src/gen/drover/v1/query_service_pb.js";
import { type UploadFileRequestSchema, UploadService } from "../../src/gen/drover/v1/upload_service_pb.js";
import { type Caller, holdCallers, type Reach, withoutScope } from "./access-callers.ts";
import { startDriver, type TestDriver } from "./driver.ts";
import { failure, GrpcClient } from "./grpc-client.ts";

const { loadDataset, watchLoad } = DatasetService.method;
const { query, runQuery } = QueryService.method;

/** What is granted where anything is: two regions, a salary, and a line that could not be loaded. */
export const SALES = "sales-main";
/** Granted to nobody but those who see everything. */
export const LEDGER = "secret-ledger";
/** A query and an upload of an administrator, who tells nobody of them. */
export const OTHERS = "secret-others";
/** The administrator's load of the ledger. */
export const LEDGER_LOAD = "load-ledger";

const SALARY = { eu: 7_700_001, us: 8_800_002, ledger: 9_900_003 };
const ROWS = { eu: 997, us: 234 };
const EU_TOTAL = ROWS.eu * SALARY.eu;
const TOTAL = EU_TOTAL + ROWS.us * SALARY.us;

const line = (region: string, note: string, salary: number | string) => `${region},${note},${salary}\n`;
const HEAD = "region,note,salary\n";
const SALES_TEXT = [
  HEAD,
  line("secret-us-region", "secret-us-4711", SALARY.us).repeat(ROWS.us),
  line("secret-us-region", "secret-us-4711", "secret-us-broken"),
  line("EU", "plain-eu", SALARY.eu).repeat(ROWS.eu),
].join("");
const FEW_TEXT = `${HEAD}${line("secret-us-region", "secret-us-4711", SALARY.us)}${line("EU", "plain-eu", SALARY.eu)}`;
/** A value that shows late what its column is: the load warns, and quotes it. */
const LATE_TEXT = `code\n${"1\n".repeat(10_000)}secret-us-late\n`;
const LEDGER_TEXT = `${HEAD}${line("ledger", "secret-gold", SALARY.ledger).repeat(3)}`;
const OPTIONS = { types: "salary=BIGINT", badRows: "skip" };

/** A source that needs nothing. */
export const PASTED = { text: "a\n1\n", format: "csv" };

/** Something by which an answer gives away what it has been made of. */
export interface Sign {
  isIn(text: string): boolean;
  readonly reaches: readonly Reach[];
}

/** Texts, and numbers in any of the ways in which they travel. */
function sign(needles: readonly (string | number)[], reaches: readonly Reach[]): Sign {
  const texts = needles.flatMap((needle) => (typeof needle === "string" ? [needle] : [`${needle}`, binary(needle)]));
  return { isIn: (text) => texts.some((needle) => text.includes(needle)), reaches };
}

function binary(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return bytes.toString("latin1");
}

/** As a value; a process may have any number. */
const NUMBER_OF_ROWS = new RegExp(`(?<!"pid")[:[,]"?${ROWS.eu + ROWS.us}"?[\\],}]`);

/** By name, with those to whose eyes they may come. */
export const signs = {
  /** That the dataset is there. */
  sales: sign(["sales-"], ["unbounded", "granted", "filtered", "hidden", "narrowed", "widened"]),
  eu: sign(["plain-eu"], ["unbounded", "granted", "filtered", "hidden", "narrowed", "widened"]),
  us: sign(["secret-us", SALARY.us, TOTAL], ["unbounded", "granted", "hidden"]),
  salary: sign([SALARY.eu, SALARY.us, EU_TOTAL, TOTAL], ["unbounded", "granted", "filtered", "widened"]),
  salaryName: sign(["salary"], ["unbounded", "granted", "filtered", "widened"]),
  /** Where its rows come from, and how. */
  lineage: sign(["salary=BIGINT"], ["unbounded", "granted"]),
  /** How many rows there are tells how many are held back. */
  rows: { isIn: (text) => NUMBER_OF_ROWS.test(text), reaches: ["unbounded", "granted", "hidden"] },
  ledger: sign(["secret-gold", SALARY.ledger], ["unbounded"]),
  ledgerName: sign([LEDGER], ["unbounded"]),
  /** Administrators' own. */
  others: sign([OTHERS], ["unbounded"]),
} as const satisfies Readonly<Record<string, Sign>>;

export type SignName = keyof typeof signs;

export function maySee(name: SignName, { reach, role }: Caller): boolean {
  if (name === "others" && role !== "admin") return false;
  const { reaches }: Sign = signs[name];
  return reaches.includes(reach);
}

export interface Scene extends AsyncDisposable {
  readonly callers: readonly Caller[];
  readonly admin: GrpcClient;
  /** Publishes a version of a dataset of each sort. */
  publish(): Promise<void>;
  /** Begins work that keeps a driver that drains from ending. */
  keepBusy(): Promise<void>;
}

/** The datasets that writes are about; whoever sees a part of them may not change them. */
const WRITTEN = ["sales-refreshed", "sales-kept", "sales-appended"];

/** A driver with what the table's rows are about. */
export async function setScene(): Promise<Scene> {
  const driver = await startDriver();
  const admin = new GrpcClient(driver.address, { token: driver.token });
  const callers = await holdCallers(driver);
  const loads = [
    load(admin, { dataset: SALES, source: { text: SALES_TEXT, format: "csv", options: OPTIONS } }),
    load(admin, ledger(LEDGER_LOAD)),
    ...WRITTEN.map((dataset) => load(admin, { dataset, source: { text: FEW_TEXT, format: "csv" } })),
    ...callers.filter(mayLoad).flatMap(watched),
  ];
  const others = admin.unary(query, { question: sql("SELECT 2 AS two"), operationId: OTHERS });
  const own = callers.map(({ client, headers, name }) =>
    client.unary(query, { question: sql("SELECT 1 AS one"), operationId: ownQuery(name) }, { headers }),
  );
  await Promise.all([...loads, ...own, others, upload(admin, OTHERS)]);
  await Promise.all(callers.filter(({ reach }) => reach === "unbounded" || reach === "narrowed").map(askBroadly));
  return scene(driver, admin, callers);
}

function scene(driver: TestDriver, admin: GrpcClient, callers: readonly Caller[]): Scene {
  return {
    callers,
    admin,
    publish: async () => {
      await load(admin, ledger("again"));
      await load(admin, { dataset: "sales-published", source: { text: "region,salary\nEU,1\n", format: "csv" } });
    },
    keepBusy: async () => {
      const endless = "SELECT sum(hash(a.i, b.i)) FROM range(10000000) a(i), range(10000000) b(i)";
      const stream = admin.stream(runQuery, { question: sql(endless) });
      await new Promise((resolve) => {
        stream.on("error", () => {});
        stream.on("data", resolve);
      });
    },
    [Symbol.asyncDispose]: async () => {
      for (const caller of callers) caller[Symbol.dispose]();
      admin[Symbol.dispose]();
      await driver[Symbol.asyncDispose]();
    },
  };
}

export function sql(text: string) {
  return { kind: { case: "sql" as const, value: { sql: text } } };
}

/** What a caller has asked before it gave up to see everything: of the ledger, with an error that quotes a value, and reattachably. */
export function broad(what: "ledger" | "error" | "sales-answer", { name }: Caller): string {
  return `${what}-${name}`;
}

async function askBroadly(caller: Caller): Promise<void> {
  const { client } = caller;
  const headers = withoutScope(caller);
  const ask = (what: Parameters<typeof broad>[0], question: MessageInitShape<typeof QuestionSchema>) =>
    client.unary(query, { question, operationId: broad(what, caller) }, { headers });
  const aggregate = { dataset: LEDGER, measures: [{ op: MeasureOp.COUNT }] };
  const answer = {
    question: sql(`SELECT * FROM "${SALES}"`),
    operationId: broad("sales-answer", caller),
    reattachable: true,
  };
  await Promise.all([
    ask("ledger", { kind: { case: "aggregate", value: aggregate } }),
    failure(ask("error", sql(`SELECT sum(CAST(note AS INTEGER)) FROM "${SALES}"`))),
    client.stream(runQuery, answer, { headers }).toArray(),
  ]);
}

/** The id of a query that a caller has made. */
export const ownQuery = (caller: string) => `own-${caller}`;
/** The id of a caller's load, and its dataset. */
export const ownLoad = (caller: string) => `load-${caller}`;
/** The id of a load of a caller that has warned. */
export const lateLoad = (caller: string) => `late-${caller}`;
export const ownDataset = (caller: string) => `sales-of-${caller}`;

const ledger = (operationId: string) => ({
  dataset: LEDGER,
  source: { text: LEDGER_TEXT, format: "csv" },
  operationId,
});

/** Those who could load with all that their tokens let them see. */
function mayLoad({ role, reach }: Caller): boolean {
  return role !== "reader" && (reach === "unbounded" || reach === "granted" || reach === "narrowed");
}

function watched(caller: Caller): readonly Promise<void>[] {
  const { client, name } = caller;
  const headers = withoutScope(caller);
  const all = { text: SALES_TEXT, format: "csv", options: OPTIONS };
  const late = { text: LATE_TEXT, format: "csv" };
  return [
    load(client, { dataset: ownDataset(name), source: all, operationId: ownLoad(name) }, headers),
    load(client, { dataset: `${ownDataset(name)}.late`, source: late, operationId: lateLoad(name) }, headers),
  ];
}

async function load(
  client: GrpcClient,
  request: Parameters<typeof client.unary<typeof loadDataset.input, typeof loadDataset.output>>[1],
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { response } = await client.unary(loadDataset, request, { headers });
  const operationId = response.operation?.id ?? "";
  const events = await client.stream(watchLoad, { operationId }, { headers }).toArray();
  const error = events.at(-1)?.event?.value?.operation?.error;
  if (error !== undefined) throw new Error(`the load of ${request.dataset} failed: ${error.message}`);
}

async function upload(client: GrpcClient, id: string): Promise<void> {
  await client.sendAll(UploadService.method.uploadFile, uploadOf(id));
}

/** The messages that send a small file. */
export function uploadOf(id: string): MessageInitShape<typeof UploadFileRequestSchema>[] {
  return [
    { part: { case: "begin", value: { id, name: `${id}.csv` } } },
    { part: { case: "bytes", value: Buffer.from("a\n1\n") } },
    { part: { case: "end", value: {} } },
  ];
}

/** How many hold leases. */
export async function leases(admin: GrpcClient): Promise<number> {
  return (await admin.unary(DriverService.method.getDriver, {})).response.leases.length;
}
