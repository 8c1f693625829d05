import { create, toJson } from "@bufbuild/protobuf";
import { ComparisonOp, FilterSchema, TextOp, type Filter as WireFilter } from "../gen/drover/v1/query_pb.js";
import { type Scalar, toWire } from "../values.ts";

/** A condition on columns; immutable. Make one with `where()`, `all()`, `any()` and `not()`. */
export class Filter {
  /** As the contract carries it. */
  readonly wire: WireFilter;

  constructor(kind: WireFilter["kind"]) {
    this.wire = create(FilterSchema, { kind });
  }

  /** As the contract writes it in JSON. */
  toJSON(): unknown {
    return toJson(FilterSchema, this.wire);
  }

  /** True when both are. */
  and(other: Filter): Filter {
    return all(this, other);
  }

  /** True when either is. */
  or(other: Filter): Filter {
    return any(this, other);
  }
}

/** How text is matched. */
export interface TextOptions {
  /** Takes upper and lower case for the same. Default: false. */
  readonly ignoreCase?: boolean;
}

/** Which bounds of a range are left out. */
export interface RangeOptions {
  readonly fromExclusive?: boolean;
  readonly toExclusive?: boolean;
}

/** The conditions on one column. NULL in the column passes none of them but `isNull()` and an `in()` that lists null. */
export class ColumnCondition {
  readonly #column: string;

  constructor(column: string) {
    this.#column = column;
  }

  equals(value: Scalar): Filter {
    return this.#compare(ComparisonOp.EQUAL, value);
  }

  notEquals(value: Scalar): Filter {
    return this.#compare(ComparisonOp.NOT_EQUAL, value);
  }

  lessThan(value: Scalar): Filter {
    return this.#compare(ComparisonOp.LESS, value);
  }

  /** Less or the same. */
  atMost(value: Scalar): Filter {
    return this.#compare(ComparisonOp.LESS_OR_EQUAL, value);
  }

  greaterThan(value: Scalar): Filter {
    return this.#compare(ComparisonOp.GREATER, value);
  }

  /** Greater or the same. */
  atLeast(value: Scalar): Filter {
    return this.#compare(ComparisonOp.GREATER_OR_EQUAL, value);
  }

  /** One of the values; null in the list matches NULL. */
  in(values: readonly Scalar[]): Filter {
    return membership(this.#column, values);
  }

  /** None of the values. */
  notIn(values: readonly Scalar[]): Filter {
    return not(this.in(values));
  }

  /** From `from` to `to`, both included unless the options say otherwise; undefined leaves a bound open. */
  between(from: Scalar | undefined, to: Scalar | undefined, options: RangeOptions = {}): Filter {
    const column = this.#column;
    return new Filter({
      case: "range",
      value: {
        $typeName: "drover.v1.Range",
        column,
        ...(from === undefined ? {} : { from: toWire(from) }),
        ...(to === undefined ? {} : { to: toWire(to) }),
        fromExclusive: options.fromExclusive ?? false,
        toExclusive: options.toExclusive ?? false,
      },
    });
  }

  isNull(): Filter {
    return new Filter({ case: "isNull", value: this.#column });
  }

  isNotNull(): Filter {
    return not(this.isNull());
  }

  contains(text: string, options?: TextOptions): Filter {
    return this.#text(TextOp.CONTAINS, text, options);
  }

  startsWith(text: string, options?: TextOptions): Filter {
    return this.#text(TextOp.STARTS_WITH, text, options);
  }

  endsWith(text: string, options?: TextOptions): Filter {
    return this.#text(TextOp.ENDS_WITH, text, options);
  }

  /** Matches the whole of a pattern in which `*` stands for any text and `?` for one character. */
  glob(pattern: string, options?: TextOptions): Filter {
    return this.#text(TextOp.GLOB, pattern, options);
  }

  #compare(op: ComparisonOp, value: Scalar): Filter {
    const comparison = { $typeName: "drover.v1.Comparison", column: this.#column, op, value: toWire(value) } as const;
    return new Filter({ case: "compare", value: comparison });
  }

  #text(op: TextOp, text: string, options: TextOptions = {}): Filter {
    const ignoreCase = options.ignoreCase ?? false;
    return new Filter({
      case: "text",
      value: { $typeName: "drover.v1.TextMatch", column: this.#column, op, text, ignoreCase },
    });
  }
}

function membership(column: string, values: readonly Scalar[]): Filter {
  return new Filter({
    case: "in",
    value: { $typeName: "drover.v1.Membership", column, values: values.map(toWire) },
  });
}

/** Begins a condition on a column: `where("origin").equals("ATL")`. */
export function where(column: string): ColumnCondition {
  return new ColumnCondition(column);
}

/** True when all are; of nothing it is true. */
export function all(...filters: readonly Filter[]): Filter {
  return new Filter({ case: "all", value: list(filters) });
}

/** True when any is; of nothing it is false. */
export function any(...filters: readonly Filter[]): Filter {
  return new Filter({ case: "any", value: list(filters) });
}

/** True when the filter is not. A row for which it is unknown because of NULL fails both. */
export function not(filter: Filter): Filter {
  return new Filter({ case: "not", value: filter.wire });
}

function list(filters: readonly Filter[]) {
  return { $typeName: "drover.v1.FilterList", filters: filters.map((filter) => filter.wire) } as const;
}
