import { accessReasons } from "./reasons/access.ts";
import { datasetsReasons } from "./reasons/datasets.ts";
import { librarySetsReasons } from "./reasons/library-sets.ts";
import { loadsReasons } from "./reasons/loads.ts";
import type { ReasonEntry } from "./reasons/model.ts";
import { operationsReasons } from "./reasons/operations.ts";
import { queriesReasons } from "./reasons/queries.ts";
import { requestsReasons } from "./reasons/requests.ts";
import { sourceContentReasons } from "./reasons/source-content.ts";
import { sourcesReasons } from "./reasons/sources.ts";
import { startReasons } from "./reasons/start.ts";
import { uploadsReasons } from "./reasons/uploads.ts";

export type { ReasonEntry } from "./reasons/model.ts";

/**
 * Every reason that an error of the API can carry. The key is the `reason` of `google.rpc.ErrorInfo`; a published key
 * stays. docs/errors.md is generated from these tables.
 */
export const reasons = {
  ...requestsReasons,
  ...accessReasons,
  ...operationsReasons,
  ...startReasons,
  ...datasetsReasons,
  ...queriesReasons,
  ...uploadsReasons,
  ...librarySetsReasons,
  ...sourcesReasons,
  ...sourceContentReasons,
  ...loadsReasons,
} as const satisfies Record<string, ReasonEntry>;

/** A key of the catalogue. */
export type Reason = keyof typeof reasons;
