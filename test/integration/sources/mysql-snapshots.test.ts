import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PlanOptions, Source, SourcePlan } from "../../../src/sources/connector.ts";
import { mysql } from "../../../src/sources/mysql/connector.ts";
import { LoadLab } from "../../helpers/load-engine.ts";
import { mysqlDatabase, mysqlSource, type TestDatabase } from "../../helpers/mysql-database.ts";
import { labContext, loadSource, openSource, type SourceLoad } from "../../helpers/source-load.ts";

const ROWS = 20_000;
let db: TestDatabase;
let lab: LoadLab;
beforeAll(async () => {
  [db, lab] = await Promise.all([mysqlDatabase(), LoadLab.open()]);
  // Skewed: nine tenths of the rows have the first hundredth of the values; every seventh is NULL.
  await db.run(
    `CREATE TABLE skewed (id INT PRIMARY KEY, skew INT, day DATE, at DATETIME(6), price DECIMAL(65,30), big BIGINT UNSIGNED,
     code VARCHAR(20) COLLATE utf8mb4_general_ci, raw VARBINARY(20), KEY (skew), KEY (day), KEY (code), KEY (big), KEY (raw))`,
  );
  await db.run("SET sql_mode = 'ALLOW_INVALID_DATES'");
  await db.run(
    `INSERT INTO skewed SELECT seq, IF(seq % 7 = 0, NULL, IF(seq % 10 > 0, seq % 1000, seq * 5)),
     IF(seq % 7 = 0, IF(seq % 14 = 0, NULL, '0000-00-00'), DATE_ADD('2000-01-01', INTERVAL seq % 9000 DAY)),
     DATE_ADD('1000-01-01 00:00:00.000001', INTERVAL seq * 10000 SECOND), seq * -1e20, 18446744073709551615 - seq * 1000,
     IF(seq % 3 = 0, CONCAT('Key ', seq), CONCAT('kéy ', seq % 1000)), UNHEX(SHA1(seq)) FROM seq_1_to_${ROWS}`,
  );
  await db.run("ANALYZE TABLE skewed");
});
afterAll(async () => {
  await db?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
});

const source = (options: Readonly<Record<string, unknown>>) => mysqlSource(db, { zeroDates: "null", ...options });

/** The plan alone, of a session that ends with it. */
async function planned(asked: Source, options: Partial<PlanOptions>): Promise<SourcePlan> {
  await using session = await openSource(asked, await labContext(lab));
  return await session.plan({ maxPartitions: 1, preview: false, ...options });
}

async function sums(loaded: SourceLoad): Promise<readonly unknown[]> {
  const [row = []] = await lab.query(`SELECT count(*), count(DISTINCT id), sum(id) FROM ${loaded.from}`);
  return row.map(Number);
}

async function collected(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

const ALL = [ROWS, ROWS, (ROWS * (ROWS + 1)) / 2];

describe("a table that several sessions read", () => {
  it.each(["id", "skew", "day", "at", "price", "big", "code", "raw"])(
    "by %s is cut into parts of which every row is in exactly one",
    async (partitionColumn) => {
      const asked = source({ table: "skewed", partitionColumn, partitions: 5 });
      const { partitions, shared } = await planned(asked, { maxPartitions: 5 });
      expect(shared).toBeDefined();
      expect(partitions.length).toBeGreaterThan(1);
      const times = partitions.map(({ condition }) => `COALESCE(${condition}, 0)`).join(" + ");
      await db.run("SET time_zone = '+00:00'");
      expect(await db.run(`SELECT ${times} AS times, COUNT(*) FROM skewed GROUP BY times`)).toEqual([
        ["1", String(ROWS)],
      ]);
    },
  );

  it("gives each row exactly once", async () => {
    const loaded = await loadSource(lab, source({ table: "skewed", partitionColumn: "day", partitions: 4 }), {
      maxPartitions: 4,
    });
    expect(loaded.plan.partitions).toHaveLength(4);
    expect(await sums(loaded)).toEqual(ALL);
  });

  it("is cut by its key where no column is named, into parts of about the same size", async () => {
    const rows = async (options: Readonly<Record<string, unknown>>) => {
      const { partitions } = await planned(source({ table: "skewed", partitions: 4, ...options }), {
        maxPartitions: 4,
      });
      const conditions = partitions.map(({ condition }) => String(condition));
      return Promise.all(
        conditions.map(async (condition) =>
          Number((await db.run(`SELECT COUNT(*) FROM skewed WHERE ${condition}`))[0]?.[0]),
        ),
      );
    };
    for (const counts of [await rows({}), await rows({ partitionColumn: "skew" })]) {
      expect(counts).toHaveLength(4);
      expect(Math.max(...counts)).toBeLessThan(ROWS / 2);
      expect(counts.reduce((sum, count) => sum + count)).toBe(ROWS);
    }
  });

  it("is seen in one state by all of them, whatever is written meanwhile, and writers wait for none of them", async () => {
    await db.run("CREATE TABLE moving (id INT PRIMARY KEY, side INT NOT NULL, KEY (side))");
    await db.run("INSERT INTO moving SELECT seq, seq % 100 FROM seq_1_to_10000");
    const loaded = await loadSource(lab, source({ table: "moving", partitionColumn: "side", partitions: 4 }), {
      maxPartitions: 4,
      // Rows that change sides would be read twice or not at all.
      beforeReading: async () => {
        await db.run("UPDATE moving SET side = 99 - side");
        await db.run("INSERT INTO moving VALUES (20000, 50)");
        await db.run("DELETE FROM moving WHERE id < 100");
      },
    });
    expect(loaded.plan.partitions).toHaveLength(4);
    const [row] = await lab.query(`SELECT count(*), count(DISTINCT id), bool_and(side = id % 100) FROM ${loaded.from}`);
    expect(row).toEqual(["10000", "10000", true]);
  });

  it("is read by one session, with a warning, where the login may not lock it", async () => {
    const user = `reader_${db.name.slice(-6)}`;
    await db.run(`CREATE USER ${user}@'%' IDENTIFIED BY 'only-reads'`);
    await db.run(`GRANT SELECT ON ${db.name}.* TO ${user}@'%'`);
    const asked = source({ table: "skewed", partitions: 4 });
    const server = { name: "reader", uri: db.url, options: { user }, password: "only-reads" };
    const loaded = await loadSource(lab, { ...asked, server }, { maxPartitions: 4 });
    await db.run(`DROP USER ${user}@'%'`);
    expect(loaded.plan.shared).toBeUndefined();
    expect(loaded.warnings[0]).toMatch(/one worker reads the table.*Access denied/);
    expect(await sums(loaded)).toEqual(ALL);
  });

  it("is read by one session, with a warning, while somebody writes to it for long", async () => {
    await db.run("CREATE TABLE written (id INT PRIMARY KEY)");
    await db.run("INSERT INTO written SELECT seq FROM seq_1_to_1000");
    await db.run("START TRANSACTION");
    await db.run("INSERT INTO written VALUES (2000)");
    const loaded = await loadSource(lab, source({ table: "written", partitions: 2 }), { maxPartitions: 2 });
    await db.run("ROLLBACK");
    expect(loaded.warnings[0]).toMatch(/one worker reads the table.*Lock wait timeout/);
    expect(loaded.rows).toBe(1_000);
  });

  it("of an engine without snapshots is read at once, with a warning where parts were asked for", async () => {
    await db.run("CREATE TABLE old (id INT PRIMARY KEY) ENGINE = MyISAM");
    await db.run("INSERT INTO old SELECT seq FROM seq_1_to_1000");
    const asked = await loadSource(lab, source({ table: "old", partitions: 2 }), { maxPartitions: 2 });
    expect(asked.plan.partitions).toHaveLength(1);
    expect(asked.warnings).toEqual([expect.stringContaining("no snapshots")]);
    expect(asked.rows).toBe(1_000);
    expect((await loadSource(lab, source({ table: "old" }), { maxPartitions: 2 })).warnings).toEqual([]);
  });

  it("and a query are told apart: a query is read by one session", async () => {
    const query = "SELECT id FROM skewed WHERE id <= 1000";
    const loaded = await loadSource(lab, source({ query, partitionColumn: "id", partitions: 4 }), { maxPartitions: 2 });
    expect(loaded.warnings).toEqual([expect.stringContaining("no snapshot that several workers could share")]);
    expect(loaded.rows).toBe(1_000);
  });

  it("is let go when sessions have joined, and nobody joins a snapshot that has gone", async () => {
    await using first = await mysql.open(source({ table: "skewed", partitions: 2 }), await labContext(lab));
    const plan = await first.plan({ maxPartitions: 2, preview: false });
    const locked = db.run("UPDATE skewed SET raw = '' WHERE id = 1").then(() => "written");
    expect(await Promise.race([locked, delay(200, "waits")])).toBe("waits");
    await first.joined?.();
    expect(await locked).toBe("written");
    await using late = await mysql.open(source({ table: "skewed", partitions: 2 }), await labContext(lab));
    await expect(late.join?.(plan.shared ?? {})).rejects.toThrow(/given up too soon/);
  });
});

it("a preview reads the first rows and looks at no statistics", async () => {
  await using session = await mysql.open(source({ table: "skewed", partitions: 4 }), await labContext(lab));
  const plan = await session.plan({ maxPartitions: 4, preview: true });
  expect(plan.partitions).toHaveLength(1);
  const content = await session.read(plan.partitions[0] ?? {});
  if (content.form !== "text") throw new Error("rows should come as text");
  const text = Buffer.concat(await collected(content.chunks)).toString();
  expect(text.split("\n")).toHaveLength(1_000 + 1);
});
