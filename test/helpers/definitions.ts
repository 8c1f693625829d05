import { mkdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { type Catalog, openCatalog } from "../../src/catalog/catalog.ts";
import { claimInstance } from "../../src/catalog/instance.ts";
import { createDefinitions, type Definitions } from "../../src/definitions/definitions.ts";
import { createSecrets } from "../../src/definitions/secrets/secrets.ts";
import { createVault } from "../../src/definitions/secrets/vault.ts";
import type { BoundSets } from "../../src/library-sets/bind-sets.ts";
import { createServedKinds } from "../../src/library-sets/served-kinds.ts";
import type { SourceKind } from "../../src/sources/connector.ts";
import { sourceKinds } from "../../src/sources/kinds.ts";
import { parseOptions } from "../../src/sources/option-values.ts";
import type { OptionSchema } from "../../src/sources/options.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { openTestUploads } from "./uploads.ts";

const options = { table: { type: "string", doc: "" } } as const satisfies OptionSchema;
const connectionOptions = { user: { type: "string", doc: "" } } as const satisfies OptionSchema;

/** A kind that speaks to a server, whichever. */
const server: SourceKind = {
  kind: "server",
  summary: "",
  extensions: [],
  schemes: ["server"],
  options,
  connectionOptions,
  check: (given) => void parseOptions("server", options, given),
  checkConnection: (given) => void parseOptions("server", connectionOptions, given.options),
};

/** Definitions over a data directory of their own. */
export interface DefinitionBench extends AsyncDisposable {
  readonly folder: string;
  /** Files of secrets must lie in it, and not in the driver's own folder there. */
  readonly allowed: string;
  readonly keyFile: string;
  readonly environment: Record<string, string | undefined>;
  readonly catalog: Catalog;
  readonly definitions: Definitions;
  /** As another driver process sees them. */
  other(): Promise<Definitions>;
}

export async function openDefinitionBench(sets?: BoundSets): Promise<DefinitionBench> {
  const parts = new AsyncDisposableStack();
  const folder = await realpath(parts.use(await temporaryFolder()).path);
  const allowed = join(folder, "allowed");
  const dataDirectory = join(folder, "data");
  const keyFile = join(dataDirectory, "secrets.key");
  await mkdir(join(allowed, "own"), { recursive: true });
  await mkdir(dataDirectory);
  const environment: Record<string, string | undefined> = {};
  const secrets = createSecrets({ environment, fileRoots: () => [allowed], reserved: () => [join(allowed, "own")] });
  const open = async (id: string) => {
    const instance = parts.use(await claimInstance({ dataDirectory, id }));
    const catalog = parts.use(await openCatalog({ dataDirectory, instance }));
    const vault = createVault({ keyFile, group: undefined });
    const kinds = createServedKinds([...sourceKinds, server], sets);
    const definitions = createDefinitions({
      ...{ catalog: catalog.definitions, kinds, secrets, vault },
      statementLimit: 3,
      uploads: await openTestUploads(dataDirectory, instance, catalog),
    });
    return { catalog, definitions };
  };
  return {
    ...{ folder, allowed, keyFile, environment },
    ...(await open("one")),
    other: async () => (await open("other")).definitions,
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
