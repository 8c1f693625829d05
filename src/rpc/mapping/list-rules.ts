import { type DescField, getOption } from "@bufbuild/protobuf";
import { field } from "../../gen/buf/validate/validate_pb.js";
import { invalidField } from "./invalid-field.ts";

/** Throws INVALID_REQUEST for a list that is longer or shorter than it may be; `place` is the path of its field. */
export type CheckItems = (items: readonly unknown[], place: string) => void;

/** Checks the sizes of a list by the contract's own rule, where the validator loses it: see `createValidate`. */
export function itemsRule(list: DescField): CheckItems {
  const { type } = getOption(list, field);
  if (type.case !== "repeated") throw new Error(`the contract has no rule for the items of ${list.toString()}`);
  const { minItems, maxItems } = type.value;
  return ({ length }, place) => {
    if (length < minItems) throw invalidField(place, `must contain at least ${minItems} item(s)`);
    if (maxItems > 0n && length > maxItems) throw invalidField(place, `must contain no more than ${maxItems} item(s)`);
  };
}
