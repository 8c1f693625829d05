import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Drover,
  DroverError,
  type EnsureDriverOptions,
  type EnsureEvent,
  ensureDriver,
  type ListedDriver,
  listDrivers,
} from "../../clients/node/src/index.ts";
import { driversOf, eventually, killDrivers } from "./driver-processes.ts";

const FIRST = { name: "before", rows: 1_000 } as const;

/** What is added to a deadline before somebody counts as having waited past it: the machine may be busy with other things. */
const slackMs = 15_000;

export interface SceneOptions {
  readonly program: string;
  /** The data directory of another scene as it was opened, to begin with a copy of it. Default: it is made by a driver. */
  readonly copyOf?: string;
}

/** A data directory with data in it, where drivers are found, started, killed and misled. */
export class FaultScene implements AsyncDisposable {
  readonly dataDirectory: string;
  readonly program: string;
  /** What the datasets answer, by their names. */
  readonly sums = new Map<string, number>();

  private constructor(dataDirectory: string, program: string) {
    this.dataDirectory = dataDirectory;
    this.program = program;
  }

  /** Opens one with the dataset `before`, whose driver has stopped. */
  static async open({ program, copyOf }: SceneOptions): Promise<FaultScene> {
    const scene = new FaultScene(await mkdtemp(join(tmpdir(), "drover-faults-")), program);
    if (copyOf !== undefined) {
      await cp(copyOf, scene.dataDirectory, { recursive: true });
      scene.sums.set(FIRST.name, sumOf(FIRST.rows));
      return scene;
    }
    try {
      await using drover = await scene.ensure();
      await scene.load(drover, FIRST.name, FIRST.rows);
      await drover.stop();
    } catch (error) {
      await scene[Symbol.asyncDispose]();
      throw error;
    }
    await scene.allEnded();
    return scene;
  }

  get options(): EnsureDriverOptions & { readonly dataDirectory: string } {
    const { dataDirectory, program } = this;
    // A start that many others hold up is not one that hangs.
    const phaseTimeoutsMs = { process: 30_000, configuration: 30_000, serving: 30_000 };
    return { dataDirectory, program, phaseTimeoutsMs, lease: false, backoff: { freeFailures: 1_000_000 } };
  }

  get addressFile(): string {
    return join(this.dataDirectory, "drivers", "default.json");
  }

  /** A client, within its deadline or not at all. */
  ensure(more: EnsureDriverOptions = {}, timeoutMs = 60_000): Promise<Drover> {
    return withinDeadline(ensureDriver({ ...this.options, ...more }, { timeoutMs }), timeoutMs, "ensureDriver");
  }

  /** The same with what happened on the way. */
  async ensureTold(more: EnsureDriverOptions = {}, timeoutMs?: number) {
    const events: EnsureEvent[] = [];
    const drover = await this.ensure({ ...more, onEvent: (event) => events.push(event) }, timeoutMs);
    return { drover, events };
  }

  /** Loads a dataset that is to be there from now on. */
  async load(drover: Drover, name: string, rows = 1_000): Promise<void> {
    await (await drover.load(name, { uri: await this.source(name, rows) })).result();
    this.sums.set(name, sumOf(rows));
  }

  /** Writes a source with the numbers below `rows` in the column `n`. */
  async source(name: string, rows: number): Promise<string> {
    const file = join(this.dataDirectory, `${name}.csv`);
    const lines = Array.from({ length: rows }, (_, row) => `${row},text of row ${row}`);
    await writeFile(file, `n,t\n${lines.join("\n")}\n`);
    return file;
  }

  /** Writes the profile's file. */
  async configure(toml: string): Promise<void> {
    await mkdir(join(this.dataDirectory, "profiles"), { recursive: true });
    await writeFile(join(this.dataDirectory, "profiles", "default.toml"), toml);
  }

  processes(): Promise<readonly number[]> {
    return driversOf(this.dataDirectory);
  }

  /** The process of the driver that serves. */
  async pid(): Promise<number> {
    let pid: number | undefined;
    // One that is busy may not answer the first look.
    await eventually(async () => {
      pid = (await this.serving())[0]?.file.pid;
      return pid !== undefined;
    }, "a driver that serves");
    assert(pid !== undefined);
    return pid;
  }

  async serving(): Promise<readonly ListedDriver[]> {
    const { dataDirectory, program } = this;
    return (await listDrivers({ dataDirectory, program })).filter(({ info }) => info?.state === "serving");
  }

  /** Waits until no process is left. */
  async allEnded(): Promise<void> {
    await eventually(async () => (await this.processes()).length === 0, "the end of all drivers");
  }

  /**
   * What must hold after every fault: the profile has a driver again, at most one takes work, no other process is left, and
   * all datasets are whole.
   */
  async check(): Promise<void> {
    await using drover = await this.ensureAfterwards();
    for (const [name, sum] of this.sums) assert.equal(await sumIn(drover, name), sum, `the sum of ${name}`);
    const names: string[] = [];
    for await (const { name } of drover.datasets()) names.push(name);
    assert.deepEqual(new Set(names), new Set([...this.sums.keys()]), "the datasets that there are");
    await this.checkProcesses(1);
  }

  /** A client after a fault: a start that it has hit may be one that is shared with others of this process. */
  async ensureAfterwards(): Promise<Drover> {
    for (let left = 4; ; left--) {
      try {
        return await this.ensure();
      } catch (error) {
        if (!(error instanceof DroverError) || error.reason !== "DRIVER_START_FAILED" || left === 0) throw error;
      }
    }
  }

  /** At most so many take work, and nobody else is left once those that drain have ended. */
  async checkProcesses(most: number): Promise<void> {
    // Looks at several drivers are not one moment: who is seen to serve first may have gone when the next one does. What
    // drains never serves again, so a second look tells.
    if ((await this.serving()).length > most)
      assert((await this.serving()).length <= most, "too many drivers take work");
    await eventually(async () => (await this.processes()).length <= most, "the end of every driver but the one");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await killDrivers(this.dataDirectory);
    await rm(this.dataDirectory, { recursive: true, force: true, maxRetries: 5 });
  }
}

export function sumOf(rows: number): number {
  return (rows * (rows - 1)) / 2;
}

/** The sum of the numbers of a dataset. */
export async function sumIn(drover: Drover, dataset: string, timeoutMs = 60_000): Promise<number> {
  const asked = drover.sql(`SELECT sum(n)::BIGINT AS s FROM "${dataset}"`, { timeoutMs }).rows();
  const [row] = [...(await withinDeadline(asked, timeoutMs, `the sum of ${dataset}`))];
  return Number(row?.s);
}

/** Fails where something takes longer than it may. */
export async function withinDeadline<T>(work: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new Error(`${what} went on after its deadline of ${timeoutMs} ms had passed`));
  }, timeoutMs + slackMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
