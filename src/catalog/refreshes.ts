import { type Kysely, type Selectable, sql, type UpdateObject } from "kysely";
import type { DriverError } from "../errors/driver-error.ts";
import { errorFromJson, errorToJson } from "../errors/error-json.ts";
import type { JsonObject } from "../operations/model.ts";
import type { CatalogSchema } from "./schema.ts";

/** What is known of a dataset's refreshes. */
export interface RefreshRecord {
  readonly uid: string;
  readonly schedule?: JsonObject;
  /** When the schedule wants the next one. In the past: it is due, or runs. */
  readonly nextTime?: Date;
  /** How many have failed in a row. */
  readonly failures: number;
  /** The source, as it was at this time, held what this version holds. */
  readonly seen?: { readonly version: number; readonly time: Date };
  readonly last?: RefreshRun;
}

/** One refresh. */
export interface RefreshRun {
  readonly operationId: string;
  readonly startTime: Date;
  /** Absent while it runs, and where its driver has died. */
  readonly endTime?: Date;
  readonly error?: DriverError;
}

/** Refreshes of datasets: schedules, what is due, and what came of it. */
export interface RefreshCatalog {
  find(uid: string): Promise<RefreshRecord | undefined>;
  /** All that have a schedule. */
  scheduled(): Promise<readonly RefreshRecord[]>;
  /** Those that are due at this time, the longest due first. */
  due(now: Date): Promise<readonly RefreshRecord[]>;
  /** When the next one is due. */
  soonest(): Promise<Date | undefined>;
  /** Sets or, without one, takes away the schedule. What has failed so far counts no more. */
  setSchedule(uid: string, schedule: { readonly rule: JsonObject; readonly nextTime: Date } | undefined): Promise<void>;
  setNextTime(uid: string, nextTime: Date): Promise<void>;
  /** Notes that the source holds nothing that the version doesn't hold. */
  see(uid: string, version: number, time: Date): Promise<void>;
  begin(uid: string, run: Pick<RefreshRun, "operationId" | "startTime">): Promise<void>;
  end(uid: string, run: Pick<RefreshRun, "operationId" | "error"> & { readonly endTime: Date }): Promise<void>;
  /** Makes this process the one that runs what was due at this time. False where a living one does, or it is no longer due. */
  claim(uid: string, dueTime: Date): Promise<boolean>;
  /** Takes that back, and says when it is due again, unless the schedule was changed meanwhile. */
  release(uid: string, dueTime: Date, nextTime: Date): Promise<void>;
  /** Whether this process is the one of all living ones that starts what is due; makes it that one where there is none. */
  isRunner(): Promise<boolean>;
}

export interface RefreshCatalogOptions {
  readonly instanceId: string;
  readonly isAlive: (instanceId: string) => Promise<boolean>;
}

type Row = Selectable<CatalogSchema["dataset_refreshes"]>;

export function createRefreshCatalog(db: Kysely<CatalogSchema>, options: RefreshCatalogOptions): RefreshCatalog {
  const { instanceId, isAlive } = options;
  const select = () => db.selectFrom("dataset_refreshes").selectAll();
  const update = async (uid: string, values: UpdateObject<CatalogSchema, "dataset_refreshes">) => {
    await db.updateTable("dataset_refreshes").set(values).where("uid", "=", uid).execute();
  };
  /** A dataset that was deleted meanwhile gets no row. */
  const upsert = async (uid: string, values: UpdateObject<CatalogSchema, "dataset_refreshes">) => {
    await sql`
      INSERT INTO dataset_refreshes (uid) SELECT uid FROM datasets WHERE uid = ${uid} ON CONFLICT DO NOTHING
    `.execute(db);
    await update(uid, values);
  };
  return {
    async find(uid) {
      const row = await select().where("uid", "=", uid).executeTakeFirst();
      return row && fromRow(row);
    },
    async scheduled() {
      return (await select().where("schedule", "is not", null).execute()).map(fromRow);
    },
    async due(now) {
      const rows = select().where("next_time", "<=", now.getTime()).orderBy("next_time").limit(1_000);
      return (await rows.execute()).map(fromRow);
    },
    async soonest() {
      const row = db.selectFrom("dataset_refreshes").select("next_time").where("next_time", "is not", null);
      return timeOf((await row.orderBy("next_time").limit(1).executeTakeFirst())?.next_time);
    },
    async setSchedule(uid, schedule) {
      const rule = schedule === undefined ? null : JSON.stringify(schedule.rule);
      const next = schedule?.nextTime.getTime() ?? null;
      await upsert(uid, { schedule: rule, next_time: next, failures: 0 });
    },
    setNextTime: (uid, nextTime) => update(uid, { next_time: nextTime.getTime() }),
    see: (uid, version, time) => upsert(uid, { seen_version: version, seen_time: time.getTime() }),
    begin: (uid, { operationId, startTime }) =>
      upsert(uid, {
        last_operation_id: operationId,
        last_start_time: startTime.getTime(),
        last_end_time: null,
        last_error: null,
      }),
    async end(uid, { operationId, endTime, error }) {
      // A later one may have begun.
      await db
        .updateTable("dataset_refreshes")
        .set((eb) => ({
          last_end_time: endTime.getTime(),
          last_error: error === undefined ? null : JSON.stringify(errorToJson(error)),
          // Somebody's cancel says nothing of the source.
          failures: error === undefined ? 0 : eb("failures", "+", error.reason === "CANCELLED" ? 0 : 1),
        }))
        .where("uid", "=", uid)
        .where("last_operation_id", "=", operationId)
        .execute();
    },
    claim: (uid, dueTime) =>
      db.transaction().execute(async (trx) => {
        const due = trx.selectFrom("dataset_refreshes").select("runner").where("uid", "=", uid);
        const row = await due.where("next_time", "=", dueTime.getTime()).executeTakeFirst();
        if (row === undefined) return false;
        // It is this process's own where an earlier release could not be written.
        if (row.runner !== null && row.runner !== instanceId && (await isAlive(row.runner))) return false;
        await trx.updateTable("dataset_refreshes").set({ runner: instanceId }).where("uid", "=", uid).execute();
        return true;
      }),
    async release(uid, dueTime, nextTime) {
      const next = sql<number>`CASE WHEN next_time = ${dueTime.getTime()} THEN ${nextTime.getTime()} ELSE next_time END`;
      await update(uid, { runner: null, next_time: next });
    },
    async isRunner() {
      const runner = async (on: Kysely<CatalogSchema>) =>
        (await on.selectFrom("schedule_runner").select("instance_id").executeTakeFirst())?.instance_id;
      const present = await runner(db);
      if (present === instanceId) return true;
      if (present !== undefined && (await isAlive(present))) return false;
      return db.transaction().execute(async (trx) => {
        if ((await runner(trx)) !== present) return false;
        await trx.deleteFrom("schedule_runner").execute();
        await trx.insertInto("schedule_runner").values({ id: 1, instance_id: instanceId }).execute();
        return true;
      });
    },
  };
}

function fromRow(row: Row): RefreshRecord {
  const nextTime = timeOf(row.next_time);
  const seenTime = timeOf(row.seen_time);
  const startTime = timeOf(row.last_start_time);
  const endTime = timeOf(row.last_end_time);
  return {
    uid: row.uid,
    failures: row.failures,
    ...(row.schedule !== null && { schedule: JSON.parse(row.schedule) }),
    ...(nextTime && { nextTime }),
    ...(seenTime && row.seen_version !== null && { seen: { version: row.seen_version, time: seenTime } }),
    ...(startTime && {
      last: {
        operationId: row.last_operation_id ?? "",
        startTime,
        ...(endTime && { endTime }),
        ...(row.last_error !== null && { error: errorFromJson(JSON.parse(row.last_error)) }),
      },
    }),
  };
}

function timeOf(milliseconds: number | null | undefined): Date | undefined {
  return milliseconds === null || milliseconds === undefined ? undefined : new Date(milliseconds);
}
