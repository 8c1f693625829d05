import { create } from "@bufbuild/protobuf";
import { MeasureSchema, type Measure as WireMeasure } from "../gen/drover/v1/query_pb.js";
import type { Filter } from "./filter.ts";
import { lookUp, type MeasureOpName, measureOps } from "./names.ts";

interface MeasureParts {
  readonly op: MeasureOpName;
  readonly column?: string | undefined;
  readonly quantile?: number | undefined;
  readonly alias?: string | undefined;
  readonly filter?: Filter | undefined;
}

/** A value computed for each group; immutable. Named `OP` or `OP_COLUMN` in the result unless `as()` says otherwise. */
export class Measure {
  readonly #parts: MeasureParts;

  constructor(parts: MeasureParts) {
    this.#parts = parts;
  }

  /** Names it in the result. */
  as(alias: string): Measure {
    return new Measure({ ...this.#parts, alias });
  }

  /** Only rows that pass count for this measure. */
  where(filter: Filter): Measure {
    return new Measure({ ...this.#parts, filter });
  }

  /** As the contract carries it. */
  get wire(): WireMeasure {
    const { op, column, quantile, alias, filter } = this.#parts;
    return create(MeasureSchema, {
      op: lookUp(measureOps, op, "measure"),
      ...(column !== undefined && { column }),
      alias: alias ?? "",
      quantile: quantile ?? 0,
      ...(filter && { filter: filter.wire }),
    });
  }
}

/** Rows; with a column, its values that are not NULL. */
export function count(column?: string): Measure {
  return new Measure({ op: "count", column });
}

/** Different values, exactly. */
export function countDistinct(column: string): Measure {
  return new Measure({ op: "countDistinct", column });
}

/** The sum, exact for integers and decimals; NULL over nothing. */
export function sum(column: string): Measure {
  return new Measure({ op: "sum", column });
}

/** The mean. */
export function avg(column: string): Measure {
  return new Measure({ op: "avg", column });
}

/** The least value. */
export function min(column: string): Measure {
  return new Measure({ op: "min", column });
}

/** The greatest value. */
export function max(column: string): Measure {
  return new Measure({ op: "max", column });
}

/** The sample variance. */
export function variance(column: string): Measure {
  return new Measure({ op: "variance", column });
}

/** The sample standard deviation. */
export function stddev(column: string): Measure {
  return new Measure({ op: "stddev", column });
}

/** The 0.5 quantile. */
export function median(column: string): Measure {
  return new Measure({ op: "median", column });
}

/** The quantile `q`, 0 to 1, linear between neighbours. */
export function quantile(column: string, q: number): Measure {
  return new Measure({ op: "quantile", column, quantile: q });
}
