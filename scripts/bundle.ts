import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");

/**
 * Bundles the driver and the command, one entry file each: a start is 2.5 times faster than from many files. Answers with
 * the paths of the files that it wrote.
 */
export async function bundle(outdir: string): Promise<readonly string[]> {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { driver: "src/main.ts", cli: "clients/cli/src/main.ts" },
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    // What a start does not need stays in files of its own that load when they are first used.
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    platform: "node",
    format: "esm",
    target: "node24",
    conditions: ["drover-source"],
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: true,
    sourcemap: "linked",
    sourcesContent: false,
    legalComments: "linked",
    logLevel: "warning",
    metafile: true,
    // The native binding finds its library beside itself.
    external: ["@duckdb/node-bindings", "@duckdb/node-bindings-*"],
    define: { "process.env.DROVER_VERSION": JSON.stringify(version) },
    // CommonJS packages inside the bundle ask for these.
    banner: {
      js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);',
    },
  });
  return Object.keys(metafile.outputs).map((file) => join(root, file));
}
