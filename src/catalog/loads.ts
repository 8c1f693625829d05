import { setTimeout } from "node:timers/promises";
import type { ExpressionBuilder, Kysely, Selectable } from "kysely";
import type { DriverError } from "../errors/driver-error.ts";
import { errorFromJson, errorToJson } from "../errors/error-json.ts";
import type { JsonObject } from "../operations/model.ts";
import type { CatalogSchema } from "./schema.ts";

/** How a load has ended. */
export type LoadResult = { readonly outcome: JsonObject } | { readonly error: DriverError };

/** A load as every process that shares the catalog knows it. */
export interface LoadRecord {
  readonly operationId: string;
  /** The driver process that carries it out. */
  readonly instanceId: string;
  /** The dataset's name in the form in which two names are the same. */
  readonly nameKey: string;
  /** The same text for the same source and options. */
  readonly configuration: string;
  /** Absent while it runs. */
  readonly result?: LoadResult;
}

/** Which loads run in any process: one at a time for each dataset. */
export interface LoadCatalog {
  /** The load of this dataset that a living process carries out. */
  running(nameKey: string): Promise<LoadRecord | undefined>;
  /** A load that a living process carries out, or that has ended within the last hour. */
  find(operationId: string): Promise<LoadRecord | undefined>;
  /**
   * Makes this process the one that loads a dataset, until `end` or its death. Answers what stands in the way: the load that a
   * living process carries out, or this very one, which another process has carried out already.
   */
  claim(load: Omit<LoadRecord, "instanceId" | "result">): Promise<LoadRecord | undefined>;
  /**
   * Says how a claimed load has ended, also for the operations that have shared it; without a result, others may take it
   * over. Never fails: what can't be written now is written later.
   */
  end(operationId: string, result: LoadResult | undefined, shared?: readonly string[]): Promise<void>;
  /** Asks the other process that loads a dataset to stop that for everybody. */
  askToStop(nameKey: string, reason: DriverError): Promise<void>;
  /** Why another process wants this process's load to stop. */
  stopWanted(operationId: string): Promise<DriverError | undefined>;
}

export interface LoadCatalogOptions {
  readonly instanceId: string;
  readonly isAlive: (instanceId: string) => Promise<boolean>;
  /** Aborted when the catalog closes. */
  readonly closed: AbortSignal;
}

/** How long others may come and ask what came of a load. */
const KEPT_MS = 3_600_000;
const RETRY_AFTER_MS = 1_000;

export function createLoadCatalog(db: Kysely<CatalogSchema>, options: LoadCatalogOptions): LoadCatalog {
  const { instanceId, isAlive, closed } = options;
  const unlessDead = async (load: LoadRecord | undefined) =>
    load === undefined || load.result !== undefined || (await isAlive(load.instanceId)) ? load : undefined;
  const end = (operationId: string, result: LoadResult | undefined, shared: readonly string[]) =>
    db.transaction().execute(async (trx) => {
      const row = { operation_id: operationId, instance_id: instanceId };
      const mine = (eb: ExpressionBuilder<CatalogSchema, "loads">) => eb.and(row);
      if (result === undefined) return void (await trx.deleteFrom("loads").where(mine).execute());
      const ended = { end_time: Date.now(), result: toJson(result) };
      const [load] = await trx.updateTable("loads").set(ended).where(mine).returningAll().execute();
      const others = shared.filter((id) => id !== operationId).map((id) => ({ ...row, operation_id: id }));
      if (load === undefined || others.length === 0) return;
      const { name_key, configuration } = load;
      await trx
        .insertInto("loads")
        .values(others.map((other) => ({ ...other, ...ended, name_key, configuration, stop: null })))
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    });
  const endLater = async (...load: Parameters<typeof end>): Promise<void> => {
    // Everybody would wait for ever for a load that is not said to have ended, as long as this process lives.
    const again = await setTimeout(RETRY_AFTER_MS, true, { signal: closed, ref: false }).catch(() => false);
    if (again) await end(...load).catch(() => endLater(...load));
  };
  return {
    running: async (nameKey) => unlessDead(await runningLoad(db, nameKey)),
    find: async (operationId) => unlessDead(await findLoad(db, operationId)),
    claim: (load) =>
      db.transaction().execute(async (trx) => {
        const now = Date.now();
        await trx
          .deleteFrom("loads")
          .where("end_time", "<", now - KEPT_MS)
          .execute();
        const { operationId, nameKey, configuration } = load;
        for (const present of [await runningLoad(trx, nameKey), await findLoad(trx, operationId)]) {
          if (present === undefined) continue;
          if (present.result === undefined && (await isAlive(present.instanceId))) return present;
          if (present.result !== undefined && "outcome" in present.result && isSame(present, load)) return present;
          await forget(trx, present);
        }
        const row = { operation_id: operationId, instance_id: instanceId, name_key: nameKey, configuration };
        await trx
          .insertInto("loads")
          .values({ ...row, end_time: null, result: null, stop: null })
          .execute();
        return undefined;
      }),
    async askToStop(nameKey, reason) {
      const running = db.updateTable("loads").set({ stop: JSON.stringify(errorToJson(reason)) });
      await running
        .where("name_key", "=", nameKey)
        .where("end_time", "is", null)
        .where("instance_id", "!=", instanceId)
        .execute();
    },
    async stopWanted(operationId) {
      const row = await db
        .selectFrom("loads")
        .select("stop")
        .where("operation_id", "=", operationId)
        .executeTakeFirst();
      return row?.stop ? errorFromJson(JSON.parse(row.stop)) : undefined;
    },
    end: (operationId, result, shared = []) =>
      end(operationId, result, shared).catch(() => void endLater(operationId, result, shared)),
  };
}

/** Forgets a load. One whose process has died may have published its version and told nobody. */
async function forget(trx: Kysely<CatalogSchema>, { operationId, nameKey }: LoadRecord): Promise<void> {
  await trx.deleteFrom("loads").where("operation_id", "=", operationId).execute();
  await touchByKey(trx, nameKey);
}

/** Makes every process look at a dataset again. */
export async function touchByKey(db: Kysely<CatalogSchema>, nameKey: string): Promise<void> {
  await db
    .updateTable("datasets")
    .set((eb) => ({ name: eb.ref("name") }))
    .where("name_key", "=", nameKey)
    .execute();
}

/** Whether two loads bring the same source with the same options into the same dataset. */
export function isSame(one: Pick<LoadRecord, "nameKey" | "configuration">, other: typeof one): boolean {
  return one.nameKey === other.nameKey && one.configuration === other.configuration;
}

async function runningLoad(db: Kysely<CatalogSchema>, nameKey: string): Promise<LoadRecord | undefined> {
  const row = db.selectFrom("loads").selectAll().where("name_key", "=", nameKey).where("end_time", "is", null);
  return fromRow(await row.executeTakeFirst());
}

async function findLoad(db: Kysely<CatalogSchema>, operationId: string): Promise<LoadRecord | undefined> {
  return fromRow(await db.selectFrom("loads").selectAll().where("operation_id", "=", operationId).executeTakeFirst());
}

function fromRow(row: Selectable<CatalogSchema["loads"]> | undefined): LoadRecord | undefined {
  if (row === undefined) return undefined;
  return {
    operationId: row.operation_id,
    instanceId: row.instance_id,
    nameKey: row.name_key,
    configuration: row.configuration,
    ...(row.result !== null && { result: fromJson(row.result) }),
  };
}

function toJson(result: LoadResult): string {
  return JSON.stringify("error" in result ? { error: errorToJson(result.error) } : { outcome: result.outcome });
}

function fromJson(text: string): LoadResult {
  const { outcome, error } = JSON.parse(text);
  return error === undefined ? { outcome } : { error: errorFromJson(error) };
}
