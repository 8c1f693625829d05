import type { KindDescriptor } from "@drover/connector";

/** What the driver knows of the kind: plain data. */
export const kind = {
  kind: "dbf",
  summary: "dBASE and FoxPro tables; memo fields are left out.",
  extensions: ["dbf"],
  options: {
    encoding: {
      type: "string",
      doc: "The code page of the texts.",
      default: "the one that the file names, else latin1",
      example: "cp850",
    },
    deleted: { type: "boolean", doc: "Whether records that were deleted are read, too.", default: "false" },
  },
  wholeFiles: true,
} as const satisfies KindDescriptor;
