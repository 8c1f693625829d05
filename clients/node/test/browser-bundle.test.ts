import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

const page = `
import { avg, count, createDroverClient, dim, where } from "@drover/client/browser";
const spec = { dimensions: [dim("date").hourOfDay()], measures: [count(), avg("delay")], where: where("origin").equals("ATL") };
for await (const event of createDroverClient({ baseUrl: "/api" }).query("flights", spec)) console.log(event);
`;

test("the browser client bundles for browsers, without anything of Node, gRPC or Arrow, and stays small", async () => {
  const { outputFiles, metafile } = await build({
    stdin: { contents: page, resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    format: "esm",
    // A module of Node is an error here.
    platform: "browser",
    target: "es2022",
    conditions: ["drover-source"],
    write: false,
    metafile: true,
    logLevel: "silent",
  });
  const inside = Object.keys(metafile.inputs).filter((file) =>
    /grpc-js|apache-arrow|connect-node|buf\/validate/.test(file),
  );
  expect(inside).toEqual([]);
  const [bundle] = outputFiles;
  expect(gzipSync(bundle?.contents ?? "").byteLength).toBeLessThan(56_000);
});
