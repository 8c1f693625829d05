import type { OptionSchema } from "./options.ts";

/** What the driver knows of a kind of source without running any code of it: plain data, read when the package is installed. */
export interface KindDescriptor {
  /** As in the package's `drover` entry: `dbf`. */
  readonly kind: string;
  /** One sentence for people. */
  readonly summary: string;
  /** Endings that choose this kind, without compression: `csv`. */
  readonly extensions: readonly string[];
  /** Schemes of URLs that choose this kind: `jdbc:postgresql`. */
  readonly schemes?: readonly string[];
  /** The driver refuses unknown names and values of other types by this, before a worker has anything to do. */
  readonly options: OptionSchema;
  /** Whether its files can't be read from their beginning alone, as previews of uploads that still arrive do. */
  readonly wholeFiles?: boolean;
  /** For kinds that speak to a server: what a connection can be told. */
  readonly connectionOptions?: OptionSchema;
}
