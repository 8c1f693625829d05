import { setImmediate } from "node:timers/promises";
import { type CompiledQuery, type Kysely, type Selectable, sql } from "kysely";
import { DriverError } from "../errors/driver-error.ts";
import { errorFromJson, errorToJson } from "../errors/error-json.ts";
import type { HistoryStore } from "../operations/history.ts";
import {
  type OperationKind,
  type OperationSnapshot,
  type OperationState,
  operationKinds,
} from "../operations/model.ts";
import type { CatalogSchema } from "./schema.ts";

export interface OperationCatalogOptions {
  /** The driver process that writes. */
  readonly instanceId: string;
  readonly isAlive: (instanceId: string) => Promise<boolean>;
}

/** Rows that are read at once: some milliseconds, between which the event loop serves. */
const PAGE = 250;

/** The history of operations in the catalog. */
export function createOperationCatalog(db: Kysely<CatalogSchema>, options: OperationCatalogOptions): HistoryStore {
  const upsert = compileUpsert(db);
  return {
    async markLost() {
      const unfinished = db.selectFrom("operations").select("instance_id").distinct().where("end_time", "is", null);
      let lost = 0;
      for (const { instance_id } of await unfinished.execute()) {
        if (instance_id === options.instanceId || (await options.isAlive(instance_id))) continue;
        lost += await markInstanceLost(db, instance_id);
      }
      return lost;
    },
    async find(id) {
      const row = () => db.selectFrom("operations").selectAll().where("id", "=", id).executeTakeFirst();
      let found = await row();
      if (found?.end_time === null) {
        if (found.instance_id === options.instanceId || (await options.isAlive(found.instance_id))) return undefined;
        await markInstanceLost(db, found.instance_id);
        found = await row();
      }
      return found === undefined || found.end_time === null ? undefined : fromRow(found);
    },
    async *load({ maxPerKind, endedAfter }) {
      for (const kind of operationKinds) {
        let { limit, offset } = { limit: Math.min(PAGE, maxPerKind), offset: 0 };
        while (limit > 0) {
          const rows = await db
            .selectFrom("operations")
            .selectAll()
            .where("kind", "=", kind)
            .where("end_time", ">=", endedAfter.getTime())
            .orderBy("end_time", "desc")
            .limit(limit)
            .offset(offset)
            .execute();
          yield rows.map(fromRow);
          await setImmediate();
          offset += rows.length;
          limit = rows.length < limit ? 0 : Math.min(PAGE, maxPerKind - offset);
        }
      }
    },
    async save(operations) {
      await db.transaction().execute(async (trx) => {
        for (const operation of operations) {
          const row = toRow(operation, options.instanceId);
          const { numAffectedRows } = await trx.executeQuery({ ...upsert, parameters: parameters(row) });
          if (numAffectedRows !== 0n) continue;
          // Somebody else has chosen the same id at another driver: neither must keep the other out of the history.
          const own = { ...row, id: `${row.id}~${options.instanceId}` };
          await trx.executeQuery({ ...upsert, parameters: parameters(own) });
        }
      });
    },
    async prune({ maxPerKind, endedAfter }) {
      await db.deleteFrom("operations").where("end_time", "<", endedAfter.getTime()).execute();
      for (const kind of operationKinds) {
        const kept = db
          .selectFrom("operations")
          .select("end_time")
          .where("kind", "=", kind)
          .where("end_time", "is not", null)
          .orderBy("end_time", "desc")
          .limit(1)
          .offset(maxPerKind);
        await db.deleteFrom("operations").where("kind", "=", kind).where("end_time", "<=", kept).execute();
      }
    },
  };
}

/**
 * An insert that replaces what this process has written, or what the same owner has asked for elsewhere; to be run with
 * `parameters(row)`. Compiled once: it costs more than the insert itself.
 */
function compileUpsert(db: Kysely<CatalogSchema>): CompiledQuery {
  const row: Row = { id: "", instance_id: "", kind: "", state: "", create_time: 0, end_time: 0, body: "" };
  return db
    .insertInto("operations")
    .values(row)
    .onConflict((conflict) =>
      conflict
        .column("id")
        .doUpdateSet((eb) => ({
          instance_id: eb.ref("excluded.instance_id"),
          kind: eb.ref("excluded.kind"),
          state: eb.ref("excluded.state"),
          create_time: eb.ref("excluded.create_time"),
          end_time: eb.ref("excluded.end_time"),
          body: eb.ref("excluded.body"),
        }))
        .where(sql<boolean>`
        operations.instance_id = excluded.instance_id OR operations.kind = excluded.kind
        AND json_extract(operations.body, '$.owner') IS json_extract(excluded.body, '$.owner')
      `),
    )
    .compile();
}

function parameters({ id, instance_id, kind, state, create_time, end_time, body }: Row): readonly unknown[] {
  return [id, instance_id, kind, state, create_time, end_time, body];
}

async function markInstanceLost(db: Kysely<CatalogSchema>, instanceId: string): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const unfinished = trx.selectFrom("operations").selectAll().where("instance_id", "=", instanceId);
    const rows = await unfinished.where("end_time", "is", null).execute();
    for (const row of rows) {
      const { state, end_time, body } = toRow(lost(fromRow(row)), instanceId);
      // Another process may have taken the id over meanwhile.
      const same = trx.updateTable("operations").where("id", "=", row.id).where("instance_id", "=", instanceId);
      await same.set({ state, end_time, body }).execute();
    }
    return rows.length;
  });
}

function lost(operation: OperationSnapshot): OperationSnapshot {
  const error = new DriverError("DRIVER_STOPPED", "the driver died before the operation was done");
  return { ...operation, state: "lost", error, endTime: new Date() };
}

type Row = Selectable<CatalogSchema["operations"]>;

function toRow(operation: OperationSnapshot, instanceId: string): Row {
  const { id, kind, state, createTime, endTime, error, ...rest } = operation;
  const body = { ...rest, ...(error && { error: errorToJson(error) }) };
  return {
    id,
    instance_id: instanceId,
    kind,
    state,
    create_time: createTime.getTime(),
    end_time: endTime?.getTime() ?? null,
    body: JSON.stringify(body, (_key, value) => (typeof value === "bigint" ? value.toString() : value)),
  };
}

function fromRow(row: Row): OperationSnapshot {
  const { error, startTime, ...rest } = JSON.parse(row.body);
  return {
    ...rest,
    // JSON has no undefined.
    progress: { ...rest.progress, fraction: rest.progress.fraction ?? undefined },
    id: row.id,
    kind: row.kind as OperationKind,
    state: row.state as OperationState,
    createTime: new Date(row.create_time),
    ...(error && { error: errorFromJson(error) }),
    ...(startTime && { startTime: new Date(startTime) }),
    ...(row.end_time !== null && { endTime: new Date(row.end_time) }),
  };
}
