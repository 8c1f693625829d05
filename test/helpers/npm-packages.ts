import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { tool } from "./installed.ts";

/** A package as its author would publish it, or as nobody should. */
export interface PackageDraft {
  readonly name: string;
  readonly version?: string;
  /** Beside name and version. */
  readonly manifest?: Readonly<Record<string, unknown>>;
  readonly files?: Readonly<Record<string, string>>;
  /** Entries of the archive by their whole path, with what they are: `1` a hard link, `2` a link, `0` a file. */
  readonly entries?: readonly { readonly path: string; readonly flag: string; readonly target?: string }[];
}

/** Puts a package's `.tgz` into a folder, as `npm pack` calls it. */
export async function packPackage(folder: string, draft: PackageDraft): Promise<string> {
  const { name, version = "1.0.0", manifest, files = {}, entries = [] } = draft;
  const own = JSON.stringify({ name, version, license: "MIT", main: "index.js", ...manifest });
  const all = {
    "package.json": own,
    "index.js": `module.exports = ${JSON.stringify(`${name}@${version}`)};\n`,
    ...files,
  };
  const blocks = [
    ...Object.entries(all).flatMap(([path, text]) => tarEntry(`package/${path}`, "0", Buffer.from(text))),
    ...entries.flatMap(({ path, flag, target }) => tarEntry(path, flag, Buffer.alloc(0), target)),
  ];
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`);
  await writeFile(file, gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)])));
  return file;
}

/** Puts the `.tgz` of packages' folders into a folder, by npm's own hand. */
export async function packFolders(destination: string, folders: readonly string[]): Promise<void> {
  await mkdir(destination, { recursive: true });
  const options = ["pack", "--silent", "--ignore-scripts", "--pack-destination", destination];
  await tool("npm", [...options, ...folders], destination);
}

/** The blocks of one entry of a tar archive, whatever it is. */
export function tarEntry(path: string, flag: string, content: Uint8Array, target = ""): readonly Buffer[] {
  const header = Buffer.alloc(512);
  const put = (text: string, at: number) => header.write(text, at, "latin1");
  put(path, 0);
  put("0000644\0", 100);
  put("0000000\0", 108);
  put("0000000\0", 116);
  put(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
  put("00000000000\0", 136);
  put("        ", 148);
  put(flag, 156);
  put(target, 157);
  put("ustar\u000000", 257);
  put(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  return [header, Buffer.from(content), Buffer.alloc((512 - (content.length % 512)) % 512)];
}

/** What a lockfile says of a file's bytes. */
export async function integrityOf(file: string): Promise<string> {
  return `sha512-${createHash("sha512")
    .update(await readFile(file))
    .digest("base64")}`;
}

/** A lockfile for one package that needs no other. */
export function lockfileFor(name: string, version: string, integrity: string, more: object = {}): string {
  return JSON.stringify({
    name: "somebody",
    lockfileVersion: 3,
    packages: {
      "": { dependencies: { [name]: `^${version}` } },
      [`node_modules/${name}`]: { version, integrity, ...more },
    },
  });
}
