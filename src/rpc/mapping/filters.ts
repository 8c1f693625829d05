import {
  FilterListSchema,
  MembershipSchema,
  type Filter as ProtoFilter,
  type Range,
} from "../../gen/drover/v1/query_pb.js";
import type { Filter } from "../../queries/model.ts";
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
        value: toScalar(value, `${place}.compare.value`),
      };
    }
    case "in": {
      checkValues(kind.value.values, `${place}.in.values`);
      const values = kind.value.values.map((value, index) => toScalar(value, `${place}.in.values[${index}]`));
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

function toRange({ column, from, to, fromExclusive, toExclusive }: Range, place: string): Filter {
  return {
    kind: "range",
    column,
    ...(from && { from: toScalar(from, `${place}.from`) }),
    ...(to && { to: toScalar(to, `${place}.to`) }),
    fromExclusive,
    toExclusive,
  };
}
