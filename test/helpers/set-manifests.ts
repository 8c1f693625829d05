import type { LibrarySet, LibrarySetManifest, SetConnector } from "../../src/library-sets/model.ts";
import type { OptionSchema } from "../../src/sources/options.ts";

/** A set as the driver reads it of its manifest; its hash is made of the letter. */
export function librarySet(name: string, letter: string, manifest: Partial<LibrarySetManifest> = {}): LibrarySet {
  return {
    ...{ name, hash: letter.repeat(64), createTime: new Date(0), createdBy: "test" },
    manifest: {
      ...{ format: 1, asked: [], packages: [], settings: {}, connectors: [], parsers: [], files: [] },
      ...manifest,
    },
  };
}

/** A package at the top of a set. */
export function setPackage(name: string, version: string): LibrarySetManifest["packages"][number] {
  const integrity = `sha512-${Buffer.from(name).toString("base64")}`;
  return { ...{ name, version, integrity }, path: `node_modules/${name}`, direct: true, scripts: "none" };
}

/** A connector of a package for a kind that speaks to a server. */
export function serverConnector(kind: string, options: OptionSchema): SetConnector {
  return {
    ...{ kind, package: `${kind}-connector`, version: "1.0.0", interface: 1 },
    module: `node_modules/${kind}-connector/connector.js`,
    descriptor: {
      ...{ kind, summary: `Tables of ${kind}.`, extensions: [], schemes: [kind], options },
      connectionOptions: { region: { type: "string", doc: "", choices: ["eu", "us"] } },
    },
  };
}
