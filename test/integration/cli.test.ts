import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, chmod, cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureDriver } from "../../clients/node/src/index.ts";
import { commandFile, eventsOf, runCli, startCli } from "../helpers/cli.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { holdFile } from "../helpers/held-file.ts";
import { makeUsers } from "../helpers/os-users.ts";
import { eventually, testProfile } from "../helpers/profile.ts";

const people = `name,city,born,score,"a:b"
Ada,London,1815-12-10,9.5,1
Grace,"New York",1906-12-09,7.25,2
Edsger,Rotterdam,1930-05-11,,3
"José 🚀",,2000-02-29,-1.5,4
`;

let driver: TestDriver;
let folder: string;
let env: Record<string, string>;

const run = (...args: string[]) => runCli(args, { env, cwd: folder });
const lines = (text: string) => text.trimEnd().split("\n");

async function json(...args: string[]) {
  const { code, stdout, stderr } = await run(...args, "--json");
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-cli-"));
  await writeFile(join(folder, "people.csv"), people);
  const numbers = Array.from({ length: 200_000 }, (_, index) => `${index},${index % 7}`);
  await writeFile(join(folder, "numbers.csv"), `n,k\n${numbers.join("\n")}\n`);
  driver = await startDriver();
  env = { DROVER_DATA_DIR: driver.dataDir };
  for (const name of ["people", "numbers"]) {
    const { code, stderr } = await run("load", name, `${name}.csv`);
    expect(stderr).toBe("");
    expect(code).toBe(0);
  }
});

afterAll(async () => {
  await driver?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe("without a driver", () => {
  test("with --no-start every command ends with 3 and the command that starts one", async () => {
    const env = { DROVER_DATA_DIR: "/nonexistent/data dir" };
    const { code, stdout, stderr } = await runCli(["datasets", "--no-start"], { env });
    expect([code, stdout]).toEqual([3, ""]);
    expect(lines(stderr)).toEqual([
      'drover: DRIVER_NOT_FOUND: no driver of the profile "default" serves',
      "Start a driver with: drover start --data-dir '/nonexistent/data dir'",
    ]);
  });

  test("a command starts one and leaves it to the next", async () => {
    await using profile = await testProfile();
    const env = { DROVER_DATA_DIR: profile.dataDirectory };
    for (const _ of [1, 2]) {
      expect(await runCli(["datasets"], { env })).toMatchObject({ code: 0, stderr: "" });
      expect(await profile.processes()).toHaveLength(1);
    }
  });

  test("one that can't start is told with its own reason, its log's end and where that is", async () => {
    await using profile = await testProfile();
    await profile.configure("thread = 2");
    const { code, stderr } = await runCli(["datasets"], { env: { DROVER_DATA_DIR: profile.dataDirectory } });
    expect(code).toBe(3);
    expect(stderr).toMatch(/^drover: DRIVER_START_FAILED: .*CONFIG_INVALID: .*unknown setting "thread"/m);
    expect(stderr).toContain(join(profile.dataDirectory, "logs", "default"));
  });

  test("an address where nobody listens ends with 3", async () => {
    const { code, stderr } = await runCli(["ps", "--address", "127.0.0.1:1"]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^drover: UNREACHABLE: /);
  });
});

describe("wrong usage ends with 2 and nothing on standard output", () => {
  test.each([
    [["dataset"], /unknown command 'dataset'/],
    [["datasets", "--jsn"], /unknown option '--jsn'/],
    [["describe"], /missing required argument 'dataset'/],
    [["query", "people", "-w", "city >"], /expected a value, found the end/],
    [["query", "people", "-d", "born:dya"], /did you mean "day"/],
    [["query", "people", "--limit", "-1"], /whole number/],
    [["query", "people", "--others"], /go with --top/],
    [["ps", "--timeout", "soon"], /is no time/],
    [["load", "people", "people.csv", "-o", "delimiter"], /KEY=VALUE/],
    [["load", "people", ""], /the path is empty/],
    [["load", "people", "a.csv", "b.csv"], /Put a glob, or a text that holds spaces, in quotes/],
    [[], /a command is missing/],
  ])("%s", async (args, message) => {
    const { code, stdout, stderr } = await run(...args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^drover: USAGE: /);
    expect(stderr).toMatch(message);
  });

  test("help is no mistake", async () => {
    const { code, stdout, stderr } = await run("query", "--help");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("date:week(sunday)@Europe/Berlin");
    expect(stdout).toContain("go with every command");
    expect(stdout).not.toContain("[]");
  });
});

describe("load", () => {
  test("says what it made, and draws no progress where nobody looks", async () => {
    const { code, stdout, stderr } = await run("load", "again", "people.csv", "--label", "team=bi");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^again: version 1, 4 rows, 5 columns, \d+ B became [\d.]+ k?B in /);
    expect((await json("datasets", "--label", "team=bi")).datasets).toMatchObject([{ name: "again", rows: 4 }]);
    expect((await run("drop", "again")).code).toBe(0);
    expect((await json("datasets", "--label", "team=bi")).datasets).toEqual([]);
  });

  test("tells its life as events", async () => {
    const { code, stdout } = await run("load", "events", join(folder, "people.csv"), "--json");
    expect(code).toBe(0);
    const events = eventsOf(stdout);
    expect(events[0]).toMatchObject({ event: "accepted", operation: { kind: "load", dataset: "events" } });
    expect(events.at(-1)).toMatchObject({
      event: "completed",
      operation: { state: "succeeded" },
      dataset: { name: "events", version: 1, rows: 4 },
    });
  });

  test("may be left to the driver", async () => {
    const { code, stdout } = await run("load", "left", "people.csv", "--no-wait");
    expect(code).toBe(0);
    const id = stdout.trim();
    while ((await run("describe", "left")).code !== 0) await delay(50);
    // There is a dataset a moment before its load has ended.
    await expect
      .poll(async () => (await json("history", "--dataset", "left")).operations)
      .toMatchObject([{ id, state: "succeeded" }]);
  });

  test("of what can't be loaded ends with 1, the reason and no dataset", async () => {
    for (const [file, reason] of [["nothing.csv", /^drover: [A-Z_]+: .*nothing\.csv/]] as const) {
      const { code, stdout, stderr } = await run("load", "bad", file);
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(reason);
    }
    const ragged = await run("load", "bad", "people.csv", "-o", "noSuchOption=1");
    expect(ragged.code).toBe(1);
    expect(ragged.stderr).toContain("noSuchOption");
    expect((await run("describe", "bad")).code).toBe(1);
  });

  test("passes options and tells rejected rows", async () => {
    await writeFile(join(folder, "bad.csv"), "a;b\n1;2\nx;3\n4;5\n");
    const args = ["load", "skipped", "bad.csv", "-o", "delimiter=;", "-o", "badRows=skip", "-o", "types.a=BIGINT"];
    const { code, stdout, stderr } = await run(...args);
    expect(code).toBe(0);
    expect(stdout).toContain("2 rows");
    expect(stderr).toMatch(/1 row rejected[\s\S]*bad\.csv, line 3/);
  });
});

describe("questions", () => {
  test("are answered as a table", async () => {
    const { code, stdout, stderr } = await run("query", "people", "-d", "city", "-m", "count", "-m", "avg:score");
    expect([code, stderr]).toEqual([0, ""]);
    expect(lines(stdout)).toEqual([
      "city       count  avg_score",
      "─────────  ─────  ─────────",
      "London         1      9.500",
      "New York       1      7.250",
      "Rotterdam      1          ∅",
      "∅              1     -1.500",
    ]);
  });

  test("count rows unless they ask for something else", async () => {
    const { stdout } = await run("query", "people", "--compute", "twice=count * 2");
    expect(lines(stdout)).toEqual(["count  twice", "─────  ─────", "    4      8"]);
  });

  test("have bars on demand", async () => {
    const { stdout } = await run("query", "people", "-d", "name", "-m", "n=max:a:b", "--bars");
    expect(stdout).toContain("█");
  });

  test("take grains, filters, expressions, having, order and limits", async () => {
    const { code, stdout, stderr } = await run(
      ...[
        "query",
        "people",
        "--json",
        "-d",
        "century=born:year",
        "-d",
        "first",
        "-m",
        "n=count where score is not null",
      ],
      ...[
        "--let",
        "first=substring(upper(name), 1, 1)",
        "--compute",
        "double=n * 2",
        "-w",
        "name ~* a or city = Rotterdam",
      ],
      ...["--having", "double < 5", "--order", "century:desc", "--limit", "2"],
    );
    expect([code, stderr]).toEqual([0, ""]);
    const frame = eventsOf(stdout).find(({ event }) => event === "frame");
    expect(frame).toMatchObject({
      exact: true,
      rows: [
        [expect.stringMatching(/^1930/), "E", "0", "0"],
        [expect.stringMatching(/^1906/), "G", "1", "2"],
      ],
    });
  });

  test("tell their life as events, whole or by batch", async () => {
    const whole = eventsOf((await run("query", "numbers", "-d", "k", "-m", "count", "--json")).stdout);
    expect(whole.map(({ event }) => event).filter((event) => event !== "progress")).toEqual([
      "accepted",
      "frame",
      "completed",
    ]);
    expect(whole.at(-1)).toMatchObject({ rows: 7, versions: { numbers: 1 } });
    const batches = eventsOf((await run("sql", "SELECT n, k FROM numbers", "--json", "--stream")).stdout);
    const parts = batches.filter(({ event }) => event === "frame_batch");
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.reduce((rows, part) => rows + (part.rows as unknown[]).length, 0)).toBe(200_000);
    expect(batches.filter(({ event }) => event !== "progress").at(-2)).toEqual({
      event: "frame_end",
      frame: 1,
      rows: 200_000,
    });
  });

  test("with totals and the rest gathered", async () => {
    const { stdout } = await run(..."query numbers -d k -m count --top 2 --others --totals".split(" "));
    expect(stdout).toContain("others");
    expect(stdout).toContain("total");
  });

  test("in SQL, with parameters", async () => {
    const { code, stdout } = await run("sql", "SELECT count(*) AS n FROM people WHERE city = $1", "-p", "New York");
    expect([code, lines(stdout).at(-1)?.trim()]).toEqual([0, "1"]);
  });

  test("are explained", async () => {
    const { code, stdout } = await run("explain", "people", "-d", "city", "-m", "count");
    expect(code).toBe(0);
    expect(stdout).toMatch(/aggregate/i);
    expect(stdout).toMatch(/select/i);
    expect((await json("explain", "--sql", "SELECT 1 AS one")).columns).toMatchObject([{ name: "one" }]);
  });

  test.each([
    [["query", "nobody"], "nobody"],
    [["query", "people", "-d", "town"], "town"],
    [["query", "people", "-m", "sum:name"], "name"],
    [["sql", "SELECT * FROM read_csv('/etc/passwd')"], "read_csv"],
    [["describe", "nobody"], "nobody"],
    [["cancel", "nothing"], "nothing"],
  ])("that can't be answered end with 1 and help: %s", async (args, word) => {
    const { code, stdout, stderr } = await run(...args);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^drover: [A-Z_]+: /);
    expect(stderr).toContain(word);
    expect(lines(stderr).length).toBeGreaterThan(1);
  });
});

describe("data", () => {
  test("is listed and described", async () => {
    expect((await json("datasets")).datasets).toEqual(
      expect.arrayContaining([expect.objectContaining({ name: "people", rows: 4, version: 1 })]),
    );
    const { dataset } = await json("describe", "people");
    expect(dataset.columns.map(({ name }: { name: string }) => name)).toEqual(["name", "city", "born", "score", "a:b"]);
    const { stdout } = await run("describe", "people");
    expect(stdout).toContain("DATE");
    expect((await json("versions", "people")).versions).toMatchObject([{ version: 1, rows: 4 }]);
  });

  test("is shown by row, for all or some", async () => {
    const { stdout } = await run("rows", "people", "-c", "name", "-c", "a:b", "-w", "name ~ '🚀'");
    expect(lines(stdout)).toEqual(["name     a:b", "───────  ───", "José 🚀    4"]);
    expect((await json("rows", "numbers", "--limit", "2500")).rows).toHaveLength(2500);
    const pages = eventsOf((await run("rows", "numbers", "--all", "--json", "--stream")).stdout);
    expect(pages.reduce((rows, page) => rows + (page.rows as unknown[]).length, 0)).toBe(200_000);
  });

  test("is shown by value", async () => {
    expect((await json("values", "people", "city", "--prefix", "n")).values).toEqual([{ value: "New York", count: 1 }]);
    expect(lines((await run("values", "people", "city")).stdout).at(-1)).toMatch(/^∅ +1$/);
  });

  test("is described by its statistics", async () => {
    const statistics = await json("stats", "people", "score");
    expect(statistics).toMatchObject({ rows: 4, columns: [{ nullCount: 1, max: 9.5, min: -1.5 }] });
    expect((await run("stats", "people")).stdout).toContain("quartiles");
  });
});

describe("operations", () => {
  const slow = "SELECT sum(a.n * b.n) FROM numbers a, numbers b WHERE a.n <> b.k";

  test("that run are listed and can be cancelled", async () => {
    const query = startCli(["sql", slow, "--label", "slow=1"], { env });
    const [{ id }] = await untilRunning("slow=1");
    const { operation } = await json("cancel", id);
    expect(operation.state).toBe("cancelled");
    const { code, stderr } = await query.done;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^drover: CANCELLED: /);
    expect((await json("history", "--state", "cancelled", "--label", "slow=1")).operations).toMatchObject([{ id }]);
  });

  test("are cancelled by Ctrl-C, which ends with 130", async () => {
    const query = startCli(["sql", slow, "--label", "slow=2"], { env });
    const [{ id }] = await untilRunning("slow=2");
    query.child.kill("SIGINT");
    const { code, stderr } = await query.done;
    expect(code).toBe(130);
    expect(stderr).toContain("CANCELLED");
    expect((await json("history", "--label", "slow=2")).operations).toMatchObject([{ id, state: "cancelled" }]);
  });

  test("that load are cancelled by Ctrl-C as well, and leave no dataset", async () => {
    await using large = await holdFile("large.csv", `n,k\n${"1234567,8\n".repeat(100_000)}`);
    const load = startCli(["load", "large", large.uri, "--json"], { env, cwd: folder });
    await once(load.child.stdout as NodeJS.ReadableStream, "data");
    load.child.kill("SIGINT");
    const { code, stderr } = await load.done;
    expect(code).toBe(130);
    expect(stderr).toContain("CANCELLED");
    expect((await json("history", "--dataset", "large")).operations).toMatchObject([{ state: "cancelled" }]);
    expect((await run("describe", "large")).code).toBe(1);
  });

  test("are stopped by their time limit", async () => {
    const { code, stderr } = await run("sql", slow, "--timeout", "5s", "--label", "slow=3");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^drover: DEADLINE_EXCEEDED: /);
    while ((await json("ps", "--label", "slow=3")).operations.length > 0) await delay(20);
  });

  async function untilRunning(label: string): Promise<[{ id: string }]> {
    for (;;) {
      const { operations } = await json("ps", "--label", label);
      if (operations.length > 0 && operations[0].state === "running") return operations;
      await delay(20);
    }
  }
});

test("a reader that has seen enough is no error", async () => {
  const { child, done } = startCli(["sql", "SELECT n, k FROM numbers", "--json", "--stream"], { env });
  await once(child.stdout as NodeJS.ReadableStream, "data");
  child.stdout?.destroy();
  const { code } = await done.catch(async () => ({ code: (await once(child, "exit").catch(() => [0]))[0] }));
  expect(code).toBe(0);
});

test("the driver is found by address and token file as well", async () => {
  const { stdout } = await run("status", "--env");
  const settings = Object.fromEntries(lines(stdout).map((line) => line.split("=") as [string, string]));
  expect(settings.DROVER_ADDRESS).toBe(driver.address);
  const { code } = await runCli(["datasets"], { env: settings });
  expect(code).toBe(0);
  const { DROVER_ADDRESS = "" } = settings;
  const refused = await runCli(["datasets"], { env: { DROVER_ADDRESS } });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/^drover: UNAUTHENTICATED: /);
});

describe("the driver's life on the command line", () => {
  test("start, status, logs, drain and stop", async () => {
    await using profile = await testProfile();
    const cli = (...args: string[]) => runCli(args, { env: { DROVER_DATA_DIR: profile.dataDirectory } });
    const none = await cli("status");
    expect([none.code, none.stdout]).toEqual([3, ""]);
    expect((await cli("logs")).code).toBe(3);

    const started = await cli("start");
    expect(started.stdout).toMatch(
      /^The driver of the profile default was started and serves after .*: 127\.0\.0\.1:\d+ \(process \d+\)$/m,
    );
    expect((await cli("start")).stdout).toMatch(/^The driver of the profile default runs already/);
    const [pid] = await profile.processes();

    const status = await cli("status");
    expect(status.code).toBe(0);
    expect(status.stdout).toMatch(new RegExp(`^pid +${pid}$`, "m"));
    expect(status.stdout).toMatch(/^used by its profile +yes$/m);
    const listed = JSON.parse((await cli("status", "--json")).stdout);
    expect(listed.drivers).toMatchObject([{ pid, profile: "default", state: "serving", current: true, fits: true }]);

    expect((await cli("logs")).stdout).toContain('"message":"serving"');
    expect((await cli("logs", "-n", "1")).stdout.trimEnd().split("\n")).toHaveLength(1);
    expect((await cli("logs", "--path")).stdout.trim()).toBe(listed.drivers[0].logFile);

    await profile.configure("threads = 1");
    expect((await cli("status")).stdout).toMatch(
      /^used by its profile +until its successor has started: the profile `default` has changed/m,
    );
    const replaced = await cli("ensure", "--json");
    expect(JSON.parse(replaced.stdout)).toMatchObject({ started: true });
    await eventually(async () => !(await profile.processes()).includes(pid ?? 0));

    const drained = await cli("drain", "--reason", "tea");
    expect(drained).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^The driver has ended \(process \d+\)$/m),
    });
    expect(await profile.processes()).toEqual([]);
    expect((await cli("logs")).stdout).toContain("tea");
    expect((await cli("stop")).code).toBe(3);
  });

  test("speaks JSON throughout", async () => {
    await using profile = await testProfile();
    const cli = (...args: string[]) => runCli([...args, "--json"], { env: { DROVER_DATA_DIR: profile.dataDirectory } });
    const started = JSON.parse((await cli("start")).stdout);
    const { tokenFile } = JSON.parse((await cli("ensure")).stdout);
    const { address, instanceId } = started.driver;
    const settings = { DROVER_ADDRESS: address, DROVER_TOKEN_FILE: tokenFile };
    expect(JSON.parse((await cli("status", "--env")).stdout)).toEqual(settings);
    const { path } = JSON.parse((await cli("logs", "--path")).stdout);
    await appendFile(path, "no JSON\nhalf");
    const logged = eventsOf((await cli("logs")).stdout);
    expect(logged[0]).toMatchObject({ event: "line", line: { message: "serving", instanceId } });
    expect(logged.slice(-2)).toEqual(["no JSON", "half"].map((line) => ({ event: "line", line })));
    expect((await cli("logs", "-n", "0")).stdout).toBe("");
    expect(JSON.parse((await cli("stop")).stdout)).toMatchObject({ instanceId, runningOperations: 0, ended: true });
  });

  test("what a log holds does not steer the terminal that shows it", async () => {
    await using profile = await testProfile();
    const folder = join(profile.dataDirectory, "logs", "default");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "20261121T000000Z-x.log"), "before\n\u001b]0;evil\u0007\nafter\n");
    const script = "import pty, sys; pty.spawn(sys.argv[1:])";
    const env = { PATH: process.env.PATH, HOME: "/nonexistent", DROVER_DATA_DIR: profile.dataDirectory };
    const child = spawn("python3", ["-c", script, process.execPath, commandFile, "logs"], { env, stdio: "pipe" });
    const shown = await text(child.stdout);
    expect(lines(shown.replaceAll("\r", ""))).toEqual(["before", "\\u001b]0;evil\\u0007", "after"]);
  });

  test("no driver in time ends with 3, and says so", async () => {
    await using profile = await testProfile();
    const env = { DROVER_DATA_DIR: profile.dataDirectory };
    const { code, stderr } = await runCli(["datasets", "--timeout", "1ms"], { env });
    expect(code).toBe(3);
    expect(stderr).toMatch(/^drover: DRIVER_NOT_FOUND: the deadline passed/);
    expect(stderr).toContain("--timeout");
    await eventually(async () => (await profile.processes()).length === 0 || (await profile.address()) !== undefined);
  });

  test("stop does not wait for a driver that was killed meanwhile", async () => {
    await using profile = await testProfile();
    const cli = (...args: string[]) => runCli(args, { env: { DROVER_DATA_DIR: profile.dataDirectory } });
    await using drover = await ensureDriver(profile.options);
    const endless = drover
      .sql("SELECT count(*) FROM range(10000000000) a, range(100) b")
      .rows()
      .catch(() => []);
    await eventually(async () => (await drover.driver()).runningOperations === 1);
    const draining = cli("drain", "--within", "1h");
    await eventually(async () => (await profile.address()) === undefined);
    for (const pid of await profile.processes()) process.kill(pid, "SIGKILL");
    expect((await draining).stdout).toMatch(/^The driver has ended/m);
    await drover.close();
    await endless;
  });

  test("a user without rights is told so, and not that there is no driver", async () => {
    await using profile = await testProfile();
    await using users = await makeUsers(0);
    // Where the command is built, others may not look.
    const open = await mkdtemp(join(tmpdir(), "drover-cli-"));
    await chmod(open, 0o755);
    const command = join(open, "cli.mjs");
    await cp(commandFile, command);
    await cp(join(dirname(commandFile), "chunks"), join(open, "chunks"), { recursive: true });
    const env = { PATH: process.env.PATH, DROVER_DATA_DIR: profile.dataDirectory, HOME: "/nonexistent" };
    await runCli(["start"], { env: { DROVER_DATA_DIR: profile.dataDirectory } });
    const [program = "", ...as] = users.stranger.as;
    for (const name of ["status", "logs"]) {
      const child = spawn(program, [...as, process.execPath, command, name], { env });
      const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, "close")]);
      expect(stderr).toMatch(/^drover: DRIVER_NOT_FOUND: .* can't be read: EACCES/);
      expect(stderr).not.toContain("Start a driver");
      expect(code).toBe(3);
    }
    await rm(open, { recursive: true });
  });

  test("status shows who is attached, and a driver that drains beside its successor", async () => {
    await using profile = await testProfile();
    const cli = (...args: string[]) => runCli(args, { env: { DROVER_DATA_DIR: profile.dataDirectory } });
    await using drover = await ensureDriver({ ...profile.options, lease: { name: "dashboard-1" } });
    await eventually(async () => (await cli("status")).stdout.includes("dashboard-1"));
    const endless = drover
      .sql("SELECT count(*) FROM range(10000000000) a, range(100) b")
      .rows()
      .catch(() => []);
    await eventually(async () => (await drover.driver()).runningOperations === 1);
    expect((await cli("drain", "--no-wait", "--within", "1h")).code).toBe(0);
    const second = await cli("ensure", "--json");
    expect(JSON.parse(second.stdout)).toMatchObject({ started: true });
    const { drivers } = JSON.parse((await cli("status", "--json")).stdout);
    expect(drivers).toMatchObject([
      { state: "serving", current: true, why: "yes" },
      { state: "draining", current: false, runningOperations: 1, why: expect.stringContaining("draining") },
    ]);
    await Promise.all((await profile.processes()).map((each) => process.kill(each, "SIGKILL")));
    await drover.close();
    await endless;
  });
});
