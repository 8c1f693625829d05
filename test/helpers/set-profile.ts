import { join } from "node:path";
import type { LibrarySet } from "../../src/library-sets/model.ts";
import { draftOf, openSets } from "./library-sets.ts";
import { packPackage } from "./npm-packages.ts";

/** A connector for the kind `acme`: asks its URI, and gives one row with its own version. */
const CONNECTOR = (version: string) => `
export const connector = {
  kind: "acme",
  async open(source, { signal }) {
    const ask = async () => (await fetch(source.uri, { signal })).text();
    return {
      test: async () => ({ description: "acme ${version}" }),
      plan: async () => ({ columns: [{ name: "version", type: "VARCHAR" }], partitions: [{}], totalBytes: 0, warnings: [] }),
      read: async () => ({
        form: "batches",
        batches: (async function* () {
          await ask();
          yield { rows: 1, columns: [[${JSON.stringify(version)}]] };
        })(),
      }),
      async [Symbol.asyncDispose]() {},
    };
  },
};
`;

/** Makes a library set of a version of the package `acme-connector`, in place of what has the name. */
export async function acmeSet(dataDirectory: string, name: string, version: string): Promise<LibrarySet> {
  await using sets = await openSets(dataDirectory);
  const folder = join(dataDirectory, "packages");
  await packPackage(folder, {
    ...{ name: "acme-connector", version },
    manifest: { type: "module", drover: { interface: 1, connectors: { acme: "./connector.js" } } },
    files: { "connector.js": CONNECTOR(version) },
  });
  const draft = draftOf(name, [`acme-connector@${version}`], folder, { replace: true });
  return await sets.create(draft, { signal: new AbortController().signal });
}
