import { setImmediate } from "node:timers/promises";
import { create, type DescField, type DescMessage, hasOption, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import type { Validator } from "@bufbuild/protovalidate";
import { DriverError } from "../errors/driver-error.ts";
import { field, message, oneof } from "../gen/buf/validate/validate_pb.js";
import type { Validate } from "./dispatcher.ts";

/**
 * Checks requests against the rules in the contract. protovalidate takes 112 ms to load (unbundled), so it is loaded once
 * somebody needs it; messages without any rule never do. Version 1.3.0 loses the rules of messages that contain themselves
 * through another (a filter in a list in a filter): what matters there, src/rpc/mapping checks again.
 */
export function createValidate(): Validate & { warmUp(schemas: Iterable<DescMessage>): Promise<void> } {
  let loading: Promise<Validator> | undefined;
  let validator: Validator | undefined;
  const ruled = new Map<DescMessage, boolean>();
  const load = async () => {
    const { createValidator } = await import("@bufbuild/protovalidate");
    validator = createValidator();
    return validator;
  };
  const loaded = () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
  const validate: Validate = (schema, request) => {
    let needed = ruled.get(schema);
    if (needed === undefined) {
      needed = hasRules(schema, new Set());
      ruled.set(schema, needed);
    }
    if (!needed) return undefined;
    if (validator) {
      check(validator, schema, request);
      return undefined;
    }
    return loaded().then((ready) => check(ready, schema, request));
  };
  const warmUp = async (schemas: Iterable<DescMessage>) => {
    const ready = await loaded();
    for (const schema of schemas) {
      // Compiles the rules: 90 ms for the whole contract, which the first calls would wait for otherwise.
      ready.validate(schema, create(schema));
      await setImmediate();
    }
  };
  return Object.assign(validate, { warmUp });
}

function check(validator: Validator, schema: DescMessage, request: Message): void {
  const result = validator.validate(schema, request);
  if (result.kind === "valid") return;
  if (result.kind === "error")
    throw new DriverError("INTERNAL", "the request's rules can't be checked", { cause: result.error });
  const violations = result.violations.map((violation) => ({
    field: pathToString(violation.field),
    description: violation.message,
  }));
  const [first] = violations;
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : "";
  throw new DriverError("INVALID_REQUEST", `${first?.field || "the request"}: ${first?.description}${more}`, {
    metadata: { field: first?.field ?? "" },
    violations,
  });
}

/** Whether a message, or one that it can hold, has rules. */
function hasRules(schema: DescMessage, seen: Set<DescMessage>): boolean {
  if (seen.has(schema)) return false;
  seen.add(schema);
  return (
    hasOption(schema, message) ||
    schema.oneofs.some((each) => hasOption(each, oneof)) ||
    schema.fields.some((each) => hasOption(each, field) || hasRulesWithin(each, seen))
  );
}

function hasRulesWithin(each: DescField, seen: Set<DescMessage>): boolean {
  return each.message !== undefined && hasRules(each.message, seen);
}
