import { execFile } from "node:child_process";
import { cp, mkdir, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { packConnector } from "../../scripts/packages.ts";
import { tool } from "./installed.ts";
import { packFolders } from "./npm-packages.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const modules = join(repository, "node_modules");

/** An author of the example package, with the interface as its package gives it and nothing else of this repository. */
export interface Author {
  /** The package's sources. */
  readonly folder: string;
  /** Compiles the package as its own `npm run build` does. */
  build(): Promise<string>;
  /** Runs its own tests as its own `npm test` does. */
  test(): Promise<string>;
  /** Packs it, and what it needs besides, into a new folder of `.tgz` files. */
  pack(destination: string): Promise<readonly string[]>;
}

/** What an author who has run `npm install` has; without the network, since all of it is here. */
export async function author(folder: string): Promise<Author> {
  const own = join(folder, "connector-dbf");
  await cp(join(repository, "examples", "connector-dbf"), own, {
    recursive: true,
    filter: (path) => !/\/(dist|node_modules)$/.test(path),
  });
  const installed = join(own, "node_modules");
  await mkdir(join(installed, "@drover", "connector"), { recursive: true });
  await mkdir(join(installed, "@types"));
  const packed = await packConnector(join(folder, "interface"));
  await tool("tar", ["-xzf", packed, "--strip-components=1", "-C", join(installed, "@drover", "connector")], folder);
  for (const name of ["iconv-lite", "safer-buffer", "typescript", "@types/node", "undici-types"])
    await symlink(join(modules, name), join(installed, name));
  return {
    folder: own,
    build: () => run([join(modules, "typescript", "bin", "tsc"), "-p", "."], own),
    test: async () => {
      const files = (await readdir(join(own, "test"))).filter((file) => file.endsWith(".test.ts"));
      return run(["--test", ...files.map((file) => join("test", file))], own);
    },
    pack: async (destination) => {
      await packFolders(destination, [own, ...["iconv-lite", "safer-buffer"].map((name) => join(modules, name))]);
      return (await readdir(destination)).sort();
    },
  };
}

/** With this Node, and no setting of the repository's own. */
function run(args: readonly string[], cwd: string): Promise<string> {
  const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
  return new Promise((resolve, reject) =>
    execFile(process.execPath, [...args], { cwd, env }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stdout}\n${stderr}`, { cause: error })),
    ),
  );
}
