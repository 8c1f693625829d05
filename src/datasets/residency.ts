import type { StorageLevel } from "../catalog/datasets.ts";
import type { ReadableVersion, ReadEngine } from "../engine/engine.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { DatasetEventListener, EvictionReason } from "./events.ts";
import { chooseVictims, newResidentVersion, type ResidentFacts, type ResidentVersion } from "./resident-version.ts";

export interface ResidencyOptions {
  readonly engine: Pick<ReadEngine, "makeResident" | "dropResident">;
  /** What all tables in memory may take together; 0: nothing is kept in memory. */
  readonly budgetBytes: number;
  /** A version that nobody used for so long leaves memory; 0: never. */
  readonly idleMs: number;
  readonly onEvent: DatasetEventListener;
}

/** A table in memory that stays until this is disposed. */
export interface ResidentUse extends Disposable {
  readonly table: string;
}

const RETRY_AFTER_MS = 60_000;
const MAX_DOUBLINGS = 6;

/**
 * The memory level: which versions are in memory, under a byte budget. They come in one at a time in the background while
 * queries read their segments; nothing that goes wrong here makes a query fail.
 */
export class Residency implements AsyncDisposable {
  readonly #options: ResidencyOptions;
  readonly #known = new Map<string, ResidentVersion>();
  readonly #inMemory = new Set<ResidentVersion>();
  readonly #dropping = new Set<Promise<void>>();
  /** Told whenever something has come in, left or failed. */
  readonly #watchers = new Set<() => void>();
  readonly #waiting: { readonly resident: ResidentVersion; readonly anyway: boolean }[] = [];
  readonly #idleTimer: NodeJS.Timeout | undefined;
  #pumping: Promise<void> | undefined;
  #clock = 0;
  #closed = false;

  constructor(options: ResidencyOptions) {
    this.#options = options;
    if (options.idleMs > 0) {
      this.#idleTimer = setInterval(() => this.#evictIdle(), Math.max(10, Math.min(60_000, options.idleMs / 4)));
      this.#idleTimer.unref();
    }
  }

  get budgetBytes(): number {
    return this.#options.budgetBytes;
  }

  /** Bytes of all tables in memory. */
  get residentBytes(): number {
    let sum = 0;
    for (const { bytes } of this.#inMemory) sum += bytes;
    return sum;
  }

  /** What is pinned, in memory or on its way. */
  get pinnedBytes(): number {
    let sum = 0;
    for (const { level, bytes } of this.#known.values()) if (level === "pinned") sum += bytes;
    return sum;
  }

  /** Makes a version known, once. Its table is named `table`. */
  add(
    table: string,
    version: ReadableVersion,
    facts: ResidentFacts & { readonly level: Exclude<StorageLevel, "pinned"> },
  ): void {
    if (!this.#known.has(table)) this.#known.set(table, newResidentVersion(table, version, facts));
  }

  /** Whether a version is pinned and in memory, or can't be because there is nothing of it. */
  isPinned(table: string): boolean {
    const resident = this.#known.get(table);
    return resident?.level === "pinned" && (resident.state === "resident" || isEmpty(resident));
  }

  /** Whether it makes sense to try to pin a version that is not pinned. */
  mayPin(table: string): boolean {
    const resident = this.#known.get(table);
    if (resident === undefined || resident.level === "pinned" || performance.now() < resident.retryTime) return false;
    return resident.bytes <= this.#options.budgetBytes - this.pinnedBytes;
  }

  /**
   * Brings a version in to stay until it is released, and settles when it is there. Others leave for it, those that are read as
   * soon as they are not. Throws PIN_REFUSED, or what went wrong; it is not pinned then.
   */
  async pin(table: string, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const resident = this.#known.get(table);
    if (resident === undefined) throw new DriverError("INTERNAL", `the version ${table} is not known`);
    const before = resident.level;
    resident.level = "pinned";
    resident.retryTime = 0;
    resident.error = undefined;
    try {
      for (;;) {
        signal.throwIfAborted();
        if (this.#closed) throw new DriverError("DRIVER_STOPPED", "the driver stops");
        if (resident.level !== "pinned") throw new DriverError("CANCELLED", "another call has changed the level");
        this.#refuseTooLarge(resident);
        if (resident.error !== undefined) throw resident.error;
        // It stays after all, unless the version itself is on its way out.
        if (resident.leaving !== "superseded" && resident.leaving !== "removed") resident.leaving = undefined;
        if (isEmpty(resident) || (resident.state === "resident" && resident.leaving === undefined)) return;
        this.#askForRoom(resident);
        this.#want(resident, true);
        await this.#change(signal);
      }
    } catch (error) {
      // Whoever waits no longer for one that is pinned already takes nothing away.
      if (resident.level === "pinned" && !(before === "pinned" && signal.aborted))
        this.release(table, before === "pinned" ? "memory" : before);
      throw error;
    }
  }

  /** Makes a version leave memory when others need its room, or at once for `disk`. */
  release(table: string, level: Exclude<StorageLevel, "pinned">): void {
    const resident = this.#known.get(table);
    if (resident === undefined) return;
    resident.level = level;
    if (level === "disk") void this.evict(table, "level");
    this.#changed();
  }

  /** Settles when a version is out of memory. */
  async gone(table: string, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    while (this.#inMemory.has(this.#known.get(table) as ResidentVersion)) await this.#change(signal);
  }

  /** Notes a use. Answers the table if it is in memory; else it will be, if there is room. */
  use(table: string): ResidentUse | undefined {
    const resident = this.#known.get(table);
    if (resident === undefined) return undefined;
    resident.useBefore = resident.lastUse;
    resident.lastUse = ++this.#clock;
    resident.lastUseTime = performance.now();
    if (resident.state === "resident" && !resident.leaving) return this.#hold(resident);
    if (resident.level !== "disk") this.#want(resident, false);
    return undefined;
  }

  /** Brings a version in that was just published: it is about to be asked for. */
  bringIn(table: string): void {
    const resident = this.#known.get(table);
    if (resident === undefined || resident.level === "disk") return;
    resident.lastUse = ++this.#clock;
    this.#want(resident, true);
  }

  /** Bytes of the table if it is in memory. */
  bytesOf(table: string): number | undefined {
    const resident = this.#known.get(table);
    return resident?.state === "resident" ? resident.bytes : undefined;
  }

  /** Takes a version out of memory as soon as nobody uses it. It may come back when it is used again. */
  async evict(table: string, reason: EvictionReason): Promise<void> {
    const resident = this.#known.get(table);
    if (resident === undefined) return;
    if (resident.state === "waiting") resident.state = "out";
    if (resident.loading !== undefined) {
      resident.loading.controller.abort(new DriverError("CANCELLED", `no longer wanted in memory: ${reason}`));
      await resident.loading.done;
    }
    // Its memory is free once this settles, whoever has begun to take it out.
    if (resident.state === "dropping") await Promise.all(this.#dropping);
    if (resident.state !== "resident") return;
    if (resident.users > 0) resident.leaving = reason;
    else await this.#drop(resident, reason);
  }

  /** Evicts a version and forgets it. */
  async remove(table: string): Promise<void> {
    this.release(table, "memory");
    await this.evict(table, "removed");
    this.#known.delete(table);
  }

  /** Settles when no version is on its way into memory. */
  async settled(): Promise<void> {
    while (this.#pumping) await this.#pumping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#idleTimer);
    for (const { resident } of this.#waiting.splice(0)) resident.state = "out";
    const reason = new DriverError("DRIVER_STOPPED", "the driver stops");
    for (const { loading } of this.#known.values()) loading?.controller.abort(reason);
    this.#changed();
    await this.settled();
    await Promise.all(this.#dropping);
  }

  /** Refuses to pin what can't be held beside what is pinned. */
  #refuseTooLarge({ bytes, version: { dataset, version } }: ResidentVersion): void {
    const { budgetBytes } = this.#options;
    const free = budgetBytes - (this.pinnedBytes - bytes);
    if (bytes <= free) return;
    throw new DriverError(
      "PIN_REFUSED",
      `version ${version} of ${JSON.stringify(dataset)} needs ${bytes} bytes of memory; ${Math.max(0, free)} of the ` +
        `${budgetBytes} for datasets are not pinned`,
      {
        metadata: {
          dataset,
          version: String(version),
          neededBytes: String(bytes),
          freeBytes: String(Math.max(0, free)),
          budgetBytes: String(budgetBytes),
        },
      },
    );
  }

  /** Where versions that are read stand in the way, they leave with their readers. */
  #askForRoom(resident: ResidentVersion): void {
    if (resident.state !== "out" || this.#victims(resident, true) !== undefined) return;
    for (const other of this.#inMemory) {
      if (other.level !== "pinned" && other.users > 0) other.leaving ??= "budget";
    }
  }

  #changed(): void {
    for (const wake of [...this.#watchers]) wake();
  }

  /** Settles at the next change. Rejects with the signal's reason. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = () => {
        this.#watchers.delete(wake);
        signal.removeEventListener("abort", wake);
        if (signal.aborted) reject(signal.reason);
        else resolve();
      };
      this.#watchers.add(wake);
      signal.addEventListener("abort", wake, { once: true });
      if (signal.aborted) wake();
    });
  }

  #hold(resident: ResidentVersion): ResidentUse {
    resident.users++;
    let held = true;
    return {
      table: resident.table,
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        resident.users--;
        resident.lastUseTime = performance.now();
        if (resident.users === 0 && resident.leaving) void this.#drop(resident, resident.leaving);
      },
    };
  }

  #want(resident: ResidentVersion, anyway: boolean): void {
    if (this.#closed || resident.state !== "out" || isEmpty(resident)) return;
    if (resident.bytes > this.#options.budgetBytes || performance.now() < resident.retryTime) return;
    if (this.#victims(resident, anyway) === undefined) return;
    resident.state = "waiting";
    this.#waiting.push({ resident, anyway });
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = undefined;
    });
  }

  async #pump(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { resident, anyway } = next;
      // It may have been evicted while it waited.
      if (resident.state !== "waiting") continue;
      resident.state = "loading";
      const controller = new AbortController();
      const done = this.#bring(resident, anyway, controller.signal);
      resident.loading = { controller, done };
      await done;
      resident.loading = undefined;
    }
  }

  async #bring(resident: ResidentVersion, anyway: boolean, signal: AbortSignal): Promise<void> {
    try {
      if (await this.#makeRoom(resident, anyway)) await this.#load(resident, signal);
    } catch (error) {
      this.#failed(resident, error);
    } finally {
      if (resident.state === "loading") resident.state = "out";
      this.#changed();
    }
  }

  async #makeRoom(resident: ResidentVersion, anyway: boolean): Promise<boolean> {
    const victims = this.#victims(resident, anyway);
    if (victims === undefined) return false;
    for (const victim of victims) void this.#drop(victim, "budget");
    // Their memory must be free before this one takes any, also that of those that leave for other reasons.
    await Promise.all(this.#dropping);
    return true;
  }

  #victims(asker: ResidentVersion, anyway: boolean): readonly ResidentVersion[] | undefined {
    const { budgetBytes } = this.#options;
    return chooseVictims([...this.#inMemory], asker, { needed: asker.bytes, budgetBytes, anyway });
  }

  async #load(resident: ResidentVersion, signal: AbortSignal): Promise<void> {
    const since = performance.now();
    const { dataset, version } = resident.version;
    signal.throwIfAborted();
    resident.bytes = await this.#options.engine.makeResident(resident.table, resident.version, { signal });
    resident.failures = 0;
    resident.error = undefined;
    resident.leaving = undefined;
    resident.state = "resident";
    this.#inMemory.add(resident);
    const durationMs = performance.now() - since;
    this.#options.onEvent({ type: "resident", dataset, version, bytes: resident.bytes, durationMs });
    await this.#trim(resident);
  }

  /** The estimate was too low: others leave, or the version itself, which then counts as what it really takes. */
  async #trim(resident: ResidentVersion): Promise<void> {
    if (this.residentBytes <= this.#options.budgetBytes) return;
    const { budgetBytes } = this.#options;
    const victims = chooseVictims([...this.#inMemory], resident, { needed: 0, budgetBytes, anyway: true });
    for (const victim of victims ?? [resident]) {
      if (victim.users > 0) victim.leaving = "budget";
      else await this.#drop(victim, "budget");
    }
  }

  #drop(resident: ResidentVersion, reason: EvictionReason): Promise<void> {
    if (resident.state !== "resident") return Promise.resolve();
    resident.state = "dropping";
    const dropping = this.#dropTable(resident, reason).finally(() => this.#dropping.delete(dropping));
    this.#dropping.add(dropping);
    return dropping;
  }

  async #dropTable(resident: ResidentVersion, reason: EvictionReason): Promise<void> {
    try {
      await this.#options.engine.dropResident(resident.table);
    } catch (error) {
      this.#failed(resident, error);
    }
    resident.state = "out";
    resident.leaving = undefined;
    this.#inMemory.delete(resident);
    const { dataset, version } = resident.version;
    this.#options.onEvent({ type: "evicted", dataset, version, bytes: resident.bytes, reason });
    this.#changed();
  }

  #failed(resident: ResidentVersion, thrown: unknown): void {
    const { dataset, version } = resident.version;
    const error = DriverError.from(thrown);
    if (error.reason === "CANCELLED" || error.reason === "DRIVER_STOPPED") return;
    resident.error = error;
    resident.retryTime = performance.now() + RETRY_AFTER_MS * 2 ** Math.min(MAX_DOUBLINGS, resident.failures++);
    this.#options.onEvent({ type: "residencyFailed", dataset, version, error });
  }

  #evictIdle(): void {
    const oldest = performance.now() - this.#options.idleMs;
    for (const resident of [...this.#inMemory]) {
      if (resident.users === 0 && resident.level !== "pinned" && resident.lastUseTime < oldest)
        void this.#drop(resident, "idle");
    }
  }
}

/** There is nothing to bring in of a version without rows. */
function isEmpty({ version }: ResidentVersion): boolean {
  return version.segmentPaths.length === 0;
}
