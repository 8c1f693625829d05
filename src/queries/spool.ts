/** How much may be kept. */
export interface SpoolLimits {
  /** Of all spools together. */
  readonly totalBytes: number;
  /** Of one spool. */
  readonly bytesPerSpool: number;
}

/** What an entry takes beside its content, and a spool beside its entries: so that many small ones are bounded, too. */
export const ENTRY_BYTES = 256;
export const SPOOL_BYTES = 1_024;

interface Entry<T> {
  readonly item: T;
  readonly bytes: number;
  /** Counts up over all spools. */
  readonly age: number;
}

/** Why a reader can't go on after an entry. */
export type Gap = "expired" | "beyond";

/**
 * Numbered items of one maker for one reader at a time, who may come again and go on where an earlier one was. What was read
 * is kept as long as there is room, what was not read is kept until it is.
 */
export class Spool<T> {
  readonly #spools: Spools<T>;
  readonly #onDrop: () => void;
  #entries: (Entry<T> | undefined)[] = [];
  /** The place of the oldest entry that is still kept: taking it off must not move the others. */
  #head = 0;
  #lastId = 0;
  #readId = 0;
  #bytes = SPOOL_BYTES;
  #reading = false;
  #ended = false;

  constructor(spools: Spools<T>, onDrop: () => void) {
    this.#spools = spools;
    this.#onDrop = onDrop;
  }

  /** The id of the newest item; 0 before there is one. */
  get lastId(): number {
    return this.#lastId;
  }

  /** The id of the oldest item that is kept; one more than the newest where none is. */
  get firstId(): number {
    return this.#lastId - (this.#entries.length - this.#head) + 1;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get reading(): boolean {
    return this.#reading;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether every item was read. */
  get read(): boolean {
    return this.#readId === this.#lastId;
  }

  /** How old the oldest entry is that was read; undefined where none is kept. */
  get oldestRead(): number | undefined {
    return this.firstId <= this.#readId ? this.#entries[this.#head]?.age : undefined;
  }

  /**
   * Whether an item may be added now. With a reader the one before must have been read, so that a slow reader slows the
   * maker; without one it must fit, and what was sent last stays, since it may never have arrived.
   */
  hasRoom(contentBytes: number): boolean {
    if (this.#reading) return this.read;
    const bytes = ENTRY_BYTES + contentBytes;
    const { limits } = this.#spools;
    return this.#bytes + bytes <= limits.bytesPerSpool && this.#spools.neededBytes + bytes <= limits.totalBytes;
  }

  /** Adds an item and answers its id, whether there is room or not. */
  add(item: T, contentBytes: number): number {
    const bytes = ENTRY_BYTES + contentBytes;
    this.#entries.push({ item, bytes, age: this.#spools.nextAge() });
    this.#lastId++;
    this.#bytes += bytes;
    this.#spools.count(this, bytes);
    this.#shrink();
    return this.#lastId;
  }

  /** Why nobody can go on after an item; undefined if somebody can. */
  gapAfter(id: number): Gap | undefined {
    if (id > this.#lastId) return "beyond";
    return id < this.firstId - 1 ? "expired" : undefined;
  }

  /** A reader goes on after an item; there must be no gap. */
  readAfter(id: number): void {
    this.#reading = true;
    this.#readId = id;
    this.#spools.place(this);
  }

  /** The next item for the reader, if there is one. */
  take(): { readonly id: number; readonly item: T } | undefined {
    const entry = this.#entries[this.#head + this.#readId + 1 - this.firstId];
    if (entry === undefined) return undefined;
    const id = ++this.#readId;
    this.#shrink();
    return { id, item: entry.item };
  }

  /** The reader is gone. */
  leave(): void {
    this.#reading = false;
    this.#spools.place(this);
  }

  /** Nothing more is added. */
  end(): void {
    this.#ended = true;
    this.#spools.place(this);
  }

  /** Forgets all items; the ids go on. */
  clear(): void {
    this.#free(this.#bytes - SPOOL_BYTES);
    this.#entries = [];
    this.#head = 0;
    this.#readId = this.#lastId;
  }

  /** Forgets the oldest item. */
  forgetOldest(): void {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return;
    this.#entries[this.#head++] = undefined;
    if (this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    this.#free(entry.bytes);
  }

  /** Gives everything back. */
  drop(): void {
    if (!this.#spools.remove(this)) return;
    this.clear();
    this.#free(SPOOL_BYTES);
    this.#onDrop();
  }

  #free(bytes: number): void {
    this.#bytes -= bytes;
    this.#spools.count(this, -bytes);
  }

  #shrink(): void {
    const { bytesPerSpool } = this.#spools.limits;
    while (this.#reading && this.#bytes > bytesPerSpool && this.oldestRead !== undefined) this.forgetOldest();
    this.#spools.shrink();
  }
}

/** All spools, under one budget. */
export class Spools<T> {
  readonly limits: SpoolLimits;
  /** Those that are made or read. */
  readonly #active = new Set<Spool<T>>();
  /** Those that have ended and that nobody reads, in that order. */
  readonly #left = new Set<Spool<T>>();
  readonly #waiters = new Set<() => void>();
  #bytes = 0;
  #leftBytes = 0;
  #age = 0;

  constructor(limits: SpoolLimits) {
    this.limits = limits;
  }

  /** What all spools keep. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What those keep that are made or read. */
  get neededBytes(): number {
    return this.#bytes - this.#leftBytes;
  }

  /** `onDrop` is called when nothing is kept of it any more. */
  open(onDrop: () => void): Spool<T> {
    const spool = new Spool<T>(this, onDrop);
    this.#active.add(spool);
    this.count(spool, spool.bytes);
    this.shrink();
    return spool;
  }

  /** Calls `waiter` whenever something was given back, until the answer is called. */
  onRoom(waiter: () => void): () => void {
    this.#waiters.add(waiter);
    return () => this.#waiters.delete(waiter);
  }

  nextAge(): number {
    return this.#age++;
  }

  count(spool: Spool<T>, bytes: number): void {
    this.#bytes += bytes;
    if (this.#left.has(spool)) this.#leftBytes += bytes;
    if (bytes < 0) for (const wake of [...this.#waiters]) wake();
  }

  /** Puts a spool where it belongs by its state. */
  place(spool: Spool<T>): void {
    if (!this.#active.has(spool) && !this.#left.has(spool)) return;
    const left = spool.ended && !spool.reading;
    if (left !== this.#left.has(spool)) {
      this.remove(spool);
      (left ? this.#left : this.#active).add(spool);
      if (left) this.#leftBytes += spool.bytes;
    }
    this.shrink();
  }

  /** Answers whether it was there. */
  remove(spool: Spool<T>): boolean {
    if (this.#left.delete(spool)) {
      this.#leftBytes -= spool.bytes;
      return true;
    }
    return this.#active.delete(spool);
  }

  /**
   * Forgets until the rest is within the budget or none of it was read yet: ended spools that nobody reads, the oldest
   * first; then what was read, the oldest first, but that of makers whose reader is away last, since it may never have
   * arrived.
   */
  shrink(): void {
    while (this.#bytes > this.limits.totalBytes) {
      const [left] = this.#left;
      if (left !== undefined) left.drop();
      else {
        const oldest = this.#oldestRead(true) ?? this.#oldestRead(false);
        if (oldest === undefined) return;
        oldest.forgetOldest();
      }
    }
  }

  #oldestRead(reading: boolean): Spool<T> | undefined {
    let oldest: Spool<T> | undefined;
    for (const spool of this.#active) {
      const age = spool.reading === reading ? spool.oldestRead : undefined;
      if (age !== undefined && age < (oldest?.oldestRead ?? Number.POSITIVE_INFINITY)) oldest = spool;
    }
    return oldest;
  }
}
