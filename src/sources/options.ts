export type { OptionEntry, OptionSchema } from "@drover/connector";
