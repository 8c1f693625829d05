import { join } from "node:path";
import { build } from "esbuild";

/** Makes one file of a program in test/faults/programs: where it starts many times, each start takes a third of the time. */
export async function bundleProgram(name: string, folder: string): Promise<string> {
  const outfile = join(folder, `${name}.mjs`);
  await build({
    entryPoints: [join(import.meta.dirname, `../faults/programs/${name}.ts`)],
    ...{ outfile, bundle: true, platform: "node", format: "esm", target: "node24", logLevel: "warning" },
    conditions: ["drover-source"],
    external: ["@duckdb/node-bindings", "@duckdb/node-bindings-*"],
    banner: {
      js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);',
    },
  });
  return outfile;
}
