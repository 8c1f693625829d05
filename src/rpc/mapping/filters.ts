import type { Value } from "@bufbuild/protobuf/wkt";
import {
  FilterListSchema,
  MembershipSchema,
  type Filter as ProtoFilter,
  type Range,
} from "../../gen/drover/v1/query_pb.js";
import type { Filter, Scalar } from "../../queries/model.ts";
import { comparisonOps, textOps, wordOf } from "./enums.ts";
import { invalidField } from "./invalid-field.ts";
import { itemsRule } from "./list-rules.ts";
import { toScalar } from "./values.ts";

const checkFilters = itemsRule(FilterListSchema.field.filters);
const checkValues = itemsRule(MembershipSchema.field.values);

/** `place` is the field's path from the request's root, for errors. */
export function toFilter({ kind }: ProtoFilter, place: string): Filter {
  switch (kind.case) {
    case "all":
    case "any":
      checkFilters(kind.value.filters, `${place}.${kind.case}.filters`);
      return {
        kind: kind.case,
        filters: kind.value.filters.map((each, index) => toFilter(each, `${place}.${kind.case}.filters[${index}]`)),
      };
    case "not":
      return { kind: "not", filter: toFilter(kind.value, `${place}.not`) };
    case "compare": {
      const { column, op, value } = kind.value;
      return {
        kind: "compare",
        column,
        op: wordOf(comparisonOps, op, `${place}.compare.op`),
        value: toConstant(value, `${place}.compare.value`),
      };
    }
    case "in": {
      checkValues(kind.value.values, `${place}.in.values`);
      const values = kind.value.values.map((value, index) => toConstant(value, `${place}.in.values[${index}]`));
      return { kind: "in", column: kind.value.column, values };
    }
    case "range":
      return toRange(kind.value, `${place}.range`);
    case "isNull":
      return { kind: "isNull", column: kind.value };
    case "text": {
      const { column, op, text, ignoreCase } = kind.value;
      return { kind: "text", column, op: wordOf(textOps, op, `${place}.text.op`), text, ignoreCase };
    }
    case undefined:
      throw invalidField(place, "exactly one condition must be set");
  }
}

/** Filters are kept as JSON, with tokens and with what is loaded: it would make null of a number that is none. */
function toConstant(value: Value | undefined, place: string): Scalar {
  const scalar = toScalar(value, place);
  return typeof scalar === "number" && !Number.isFinite(scalar) ? String(scalar) : scalar;
}

function toRange({ column, from, to, fromExclusive, toExclusive }: Range, place: string): Filter {
  return {
    kind: "range",
    column,
    ...(from && { from: toConstant(from, `${place}.from`) }),
    ...(to && { to: toConstant(to, `${place}.to`) }),
    fromExclusive,
    toExclusive,
  };
}
