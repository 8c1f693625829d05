import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

const root = join(import.meta.dirname, "..");

const programs = {
  // The interface is what packages of library sets get, and shares the worker's chunks.
  driver: { driver: "src/main.ts", worker: "src/worker.ts", interface: "packages/connector/src/index.ts" },
  cli: { cli: "clients/cli/src/main.ts" },
} as const;

export type Program = keyof typeof programs;

/** What bundling left behind. */
export interface Bundle {
  /** The paths of the files that were written. */
  readonly files: readonly string[];
  /** The folders of the packages whose code is inside. */
  readonly packages: readonly string[];
}

/**
 * Bundles the driver with its worker, or the command, into an entry file for each program, with chunks: a start is 2.5 times faster than from many files.
 * `other` is what it takes itself for, for tests of two versions.
 */
export async function bundle(program: Program, outdir: string, other?: { readonly version: string }): Promise<Bundle> {
  const facts = { ...(JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }), ...other };
  const { version } = facts;
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: programs[program],
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
    plugins: other === undefined ? [] : [packageFacts(facts)],
    // CommonJS packages inside the bundle ask for these.
    banner: {
      js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);',
    },
  });
  const folders = Object.keys(metafile.inputs).flatMap((file) => packageFolder(file) ?? []);
  return {
    files: Object.keys(metafile.outputs).map((file) => join(root, file)),
    packages: [...new Set(folders)].sort().map((folder) => join(root, folder)),
  };
}

/** Puts these in the place of what the product's package.json says. */
function packageFacts(facts: object): Plugin {
  return {
    name: "package-facts",
    setup: ({ onLoad }) => {
      onLoad({ filter: /package\.json$/ }, ({ path }) =>
        path === join(root, "package.json") ? { contents: JSON.stringify(facts), loader: "json" } : undefined,
      );
    },
  };
}

function packageFolder(file: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
}
