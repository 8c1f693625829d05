import { create } from "@bufbuild/protobuf";
import {
  type OptionDescription,
  OptionDescriptionSchema,
  OptionType,
  type SourceKind,
  SourceKindSchema,
} from "../../gen/drover/v1/source_service_pb.js";
import { secretOption } from "../../sources/common-options.ts";
import type { SourceKind as Kind } from "../../sources/connector.ts";
import type { OptionEntry, OptionSchema } from "../../sources/options.ts";

const TYPES: Readonly<Record<OptionEntry["type"], OptionType>> = {
  string: OptionType.STRING,
  boolean: OptionType.BOOLEAN,
  integer: OptionType.INTEGER,
  stringList: OptionType.STRING_LIST,
  stringMap: OptionType.STRING_MAP,
};

/** A kind of source with its options. */
export function fromSourceKind({
  kind,
  summary,
  extensions,
  schemes = [],
  options,
  connectionOptions,
}: Kind): SourceKind {
  return create(SourceKindSchema, {
    ...{ kind, summary },
    extensions: [...extensions],
    schemes: [...schemes],
    options: fromOptions(options),
    connectionOptions: connectionOptions ? fromOptions({ ...connectionOptions, ...secretOption }) : [],
  });
}

function fromOptions(schema: OptionSchema): OptionDescription[] {
  return Object.entries(schema).map(([name, { type, doc, default: usual = "", choices = [], example = "" }]) =>
    create(OptionDescriptionSchema, {
      ...{ name, doc, example },
      type: TYPES[type],
      default: usual,
      choices: [...choices],
    }),
  );
}
