import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  connect,
  connectByAddressFile,
  type Drover,
  ensureDriver,
  type TokenInfo,
  where,
} from "../../clients/node/src/index.ts";
import { runCli } from "../helpers/cli.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";

const PATIENT = { timeout: 30_000 };

let driver: TestDriver;
let admin: Drover;

beforeAll(async () => {
  driver = await startDriver();
  admin = await connectByAddressFile({ dataDirectory: driver.dataDir });
});

afterAll(async () => {
  await admin.close();
  await driver[Symbol.asyncDispose]();
});

const drover = (...args: string[]) => runCli(args, { env: { DROVER_DATA_DIR: driver.dataDir } });

/** The command with a token in a file, as its holder uses it. */
async function drovers(token: string, ...args: string[]) {
  const file = join(driver.dataDir, "someones.token");
  await writeFile(file, `${token}\n`, { mode: 0o600 });
  return drover("--token-file", file, ...args);
}

function open(token: string): Promise<Drover> {
  return connect({ address: driver.address, token });
}

describe("drover tokens", () => {
  test("makes a token, and prints nothing else where programs read", async () => {
    const made = await drover("tokens", "create", "shop", "--expires", "30d");
    expect(made).toMatchObject({ code: 0 });
    expect(made.stdout).toMatch(/^drv_[0-9a-f]{12}_[\w-]{43}\n$/);
    expect(made.stderr).toMatch(/^shop \(reader\) ends 2.*not shown again/);
    const token = made.stdout.trim();
    expect(await drovers(token, "datasets")).toMatchObject({ code: 0 });
    const refused = await drovers(token, "tokens", "list");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("ACCESS_DENIED");
    const list = await drover("tokens", "list");
    expect(list.stdout).toMatch(/shop +reader +everything/);
    expect(list.stdout).not.toContain(token);
  });

  test("says what a token sees as it was said", async () => {
    const flags = [
      ...["--role", "loader", "--dataset", "sales-*", "--dataset", "people"],
      ...["--rows", "sales-*: region = EU and year > 2020", "--hide", "*: salary, ssn*"],
    ];
    const { stdout } = await drover("tokens", "create", "scoped", ...flags, "--json");
    const { token, ...made } = JSON.parse(stdout);
    expect(token).toMatch(/^drv_/);
    const compare = (column: string, op: string, value: string) => ({
      compare: { column, op: `COMPARISON_OP_${op}`, value },
    });
    expect(made).toMatchObject({
      ...{ name: "scoped", role: "loader", createdBy: "owner" },
      scope: {
        datasets: ["sales-*", "people"],
        rows: [
          {
            dataset: "sales-*",
            where: { all: { filters: [compare("region", "EQUAL", "EU"), compare("year", "GREATER", "2020")] } },
          },
        ],
        hidden: [{ dataset: "*", columns: ["salary", "ssn*"] }],
      },
    });
    const list = await drover("tokens", "list");
    expect(list.stdout).toContain("sales-* people; some rows of sales-*; not *: salary,ssn*");
  });

  test("gives a token a new text, and ends it", async () => {
    const old = (await drover("tokens", "create", "turned")).stdout.trim();
    const made = await drover("tokens", "rotate", "turned", "--grace", "10m");
    expect(made.stderr).toContain("the one before holds until");
    const present = made.stdout.trim();
    for (const token of [old, present]) expect(await drovers(token, "datasets")).toMatchObject({ code: 0 });
    await drover("tokens", "rotate", "turned", "--grace", "0");
    expect((await drovers(present, "datasets")).stderr).toContain("TOKEN_EXPIRED");
    expect(await drover("tokens", "revoke", "turned")).toMatchObject({ code: 0, stdout: "turned is revoked\n" });
    expect((await drovers(present, "datasets")).stderr).toContain("TOKEN_REVOKED");
    expect((await drover("tokens", "revoke", "turned")).stderr).toContain("TOKEN_NOT_FOUND");
    expect((await drover("tokens", "list")).stdout).not.toContain("turned");
    expect((await drover("tokens", "list", "--revoked")).stdout).toMatch(/turned .*revoked 2/);
  });

  test("shows of a dataset what the token leaves, and how large the rest is to nobody", async () => {
    const file = join(driver.dataDir, "pay.csv");
    await writeFile(file, "region,pay\nEU,1\nEU,2\nUS,3\n");
    expect(await drover("load", "pay", file)).toMatchObject({ code: 0 });
    const flags = ["--role", "reader", "--dataset", "pay", "--rows", "pay: region = EU", "--hide", "pay: pay"];
    const token = (await drover("tokens", "create", "europe", ...flags)).stdout.trim();
    expect((await drovers(token, "rows", "pay")).stdout).toBe("region\n──────\nEU\nEU\n");
    const { stdout } = await drovers(token, "describe", "pay");
    expect(stdout).toContain("the token shows only some");
    expect(stdout).not.toMatch(/pay\.csv|BIGINT|on disk|\bB\b/);
    expect((await drovers(token, "datasets")).stdout).toMatch(/^pay +1 +- +- +- /m);
    const status = await drovers(token, "--address", driver.address, "status");
    expect(status.stdout).toMatch(/^memory +budget [\d.]+ \w+$/m);
    expect(status.stdout).not.toMatch(/^datasets|used/m);
  });

  test.each([
    ["a role that there is not", ["--role", "king"]],
    ["rows without a pattern", ["--rows", "region = EU"]],
    ["rows without a condition", ["--rows", "sales:"]],
    ["a condition that is none", ["--rows", "sales: region EU"]],
    ["columns without a name", ["--hide", "sales: a,,b"]],
    ["an end that is no time", ["--expires", "soon"]],
  ])("takes %s for wrong usage", async (_, flags) => {
    expect(await drover("tokens", "create", "wrong", ...flags)).toMatchObject({ code: 2, stdout: "" });
  });
});

describe("the Node client", () => {
  test("connects with such a token, also to a driver that it finds, and lets it prove itself first", async () => {
    const { token } = await admin.tokens.create({ name: "finder", role: "reader", lifetimeMs: 3_600_000 });
    await using found = await ensureDriver({ dataDirectory: driver.dataDir, token, start: false });
    expect((await found.driver()).instanceId).toBe(driver.instanceId);
    // Without the driver's knowing it, the token is not shown.
    const unknown = open(`drv_000000000000_${"A".repeat(43)}`);
    await expect(unknown).rejects.toMatchObject({ reason: "DRIVER_NOT_PROVEN" });
  });

  test("narrows calls for the end users whom it names", async () => {
    const { token } = await admin.tokens.create({ name: "app", role: "admin" });
    await using app = await open(token);
    const listed = async (call = {}) => {
      const names: string[] = [];
      for await (const { name } of app.tokens.list(call)) names.push(name);
      return names;
    };
    expect(await listed({ endUser: "ann" })).toContain("app");
    const scope = { rows: [{ dataset: "sales", where: where("region").equals("EU") }] };
    await expect(listed({ endUser: "ann", scope })).rejects.toMatchObject({ reason: "ACCESS_DENIED" });
    await expect(listed({ scope })).rejects.toMatchObject({ reason: "INVALID_ARGUMENT" });
    // What is sent in several calls is narrowed in each: another end user does not find it.
    const ann = { endUser: "ann", scope: {} };
    const { id } = await app.upload(Buffer.from("a\n1\n"), { ...ann, name: "ann.csv" });
    await expect(app.deleteUpload(id, { endUser: "bob", scope: {} })).rejects.toMatchObject({
      reason: "UPLOAD_NOT_FOUND",
    });
    await app.deleteUpload(id, ann);
  });

  test("is told that its token was revoked: calls end, and so do its events", async () => {
    const { token } = await admin.tokens.create({ name: "gone", role: "reader" });
    await using gone = await open(token);
    const events = gone.events();
    expect((await events.next()).value).toMatchObject({ type: "attached" });
    const next = events.next();
    next.catch(() => undefined);
    const info = await admin.tokens.revoke("gone");
    expect(info.revokeTime).toBeInstanceOf(Date);
    await expect(gone.driver()).rejects.toMatchObject({ reason: "TOKEN_REVOKED", retryable: false });
    await expect(next).rejects.toMatchObject({ reason: "TOKEN_REVOKED" });
    await expect.poll(async () => (await admin.driver()).leases.length, PATIENT).toBe(0);
  });

  test("hears of the end of its token in the middle of what it sends", async () => {
    const { token } = await admin.tokens.create({ name: "sender", role: "loader" });
    await using sender = await open(token);
    const arrived = async () => {
      for await (const { id, receivedBytes } of admin.uploads()) if (id === "endless") return receivedBytes;
      return 0;
    };
    const more = Promise.withResolvers<void>();
    async function* endless() {
      yield Buffer.alloc(1_000);
      await more.promise;
    }
    const sending = sender.upload(endless(), { id: "endless", name: "endless.csv" });
    const failure = sending.then(
      () => undefined,
      (error: unknown) => error,
    );
    await expect.poll(arrived, PATIENT).toBe(1_000);
    await admin.tokens.revoke("sender");
    expect(await failure).toMatchObject({ reason: "TOKEN_REVOKED" });
    more.resolve();
    await admin.deleteUpload("endless");
  });

  test("tells of a token what the driver knows", async () => {
    const { token, ...made } = await admin.tokens.create({
      ...{ name: "known", role: "loader", lifetimeMs: 60_000 },
      scope: { datasets: [], hidden: [{ dataset: "x", columns: ["y"] }] },
    });
    await using known = await open(token);
    await known.driver();
    const find = async () => {
      const all: TokenInfo[] = [];
      for await (const info of admin.tokens.list()) all.push(info);
      return all.find(({ name }) => name === "known");
    };
    await expect.poll(async () => (await find())?.lastUseTime, PATIENT).toBeInstanceOf(Date);
    expect(await find()).toMatchObject({ id: made.id, key: made.key, scope: made.scope, role: "loader" });
  });
});
