import type { MeasureGroup } from "../support/measure.ts";
import { append } from "./append.ts";
import { cancel } from "./cancel.ts";
import { driver } from "./driver.ts";
import { librarySets } from "./library-sets.ts";
import { life } from "./life.ts";
import { loading } from "./loading.ts";
import { memory } from "./memory.ts";
import { mysqlMeasures } from "./mysql.ts";
import { postgresMeasures } from "./postgres.ts";
import { queries } from "./queries.ts";
import { scale } from "./scale.ts";
import { setWorkers } from "./set-workers.ts";
import { sources } from "./sources.ts";
import { workers } from "./workers.ts";
import { xml } from "./xml.ts";

/** Every group, in the order in which they run. */
export const groups: readonly MeasureGroup[] = [
  loading,
  append,
  mysqlMeasures,
  postgresMeasures,
  workers,
  setWorkers,
  librarySets,
  xml,
  sources,
  queries,
  driver,
  life,
  cancel,
  memory,
  scale,
];
