import { readManifest } from "./manifest.ts";
import type { AppendRecord, PublishOptions } from "./model.ts";

export type Appends = Readonly<Record<string, AppendRecord>>;

/** How long an append can be continued after its last rows. */
export const APPEND_KEPT_MS = 24 * 3_600_000;
/** Of one dataset; the oldest are forgotten first. */
export const MAX_APPENDS = 1_000;

/** How far an append has come, as a version says. */
export function appendOf({ appends }: { readonly appends?: Appends }, id: string): AppendRecord | undefined {
  return appends !== undefined && Object.hasOwn(appends, id) ? appends[id] : undefined;
}

/** What a new version says of appends: what the one before said, and what is new. */
export async function carriedAppends(before: string, append: PublishOptions["append"]): Promise<Appends> {
  // Of a damaged version nothing is known; the first one has none before it.
  const stored = await readManifest(before).catch(() => undefined);
  return withAppend(stored?.manifest.appends ?? {}, append, Date.now());
}

/** Forgets what is too old or too much. */
export function withAppend(before: Appends, append: PublishOptions["append"], nowMs: number): Appends {
  const { id, ...record } = append ?? {};
  const known = Object.entries({ ...before, ...(id !== undefined && { [id]: record as AppendRecord }) });
  return Object.fromEntries(
    known
      .filter(([, { timeMs }]) => timeMs > nowMs - APPEND_KEPT_MS)
      .sort(([, left], [, right]) => right.timeMs - left.timeMs)
      .slice(0, MAX_APPENDS),
  );
}
