import { once } from "node:events";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { LibrarySetStore } from "../../../src/library-sets/model.ts";
import { draftOf, openSets } from "../../helpers/library-sets.ts";
import { integrityOf, lockfileFor, packPackage } from "../../helpers/npm-packages.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const { signal } = new AbortController();
const TOKEN = "npm-token-of-the-administrator";

let stack: AsyncDisposableStack;
let root: string;
let server: Server;
let url: string;
let store: LibrarySetStore;
/** The paths that were asked for, and whether with the token. */
const asked: { path: string; withToken: boolean }[] = [];

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  root = stack.use(await temporaryFolder()).path;
  await packPackage(root, { name: "fine" });
  await packPackage(root, { name: "unsafe", entries: [{ path: "package/../../evil.js", flag: "0" }] });
  await packPackage(root, { name: "damaged" });
  await packPackage(root, { name: "renamed", manifest: { version: "1.0.1" } });
  server = createServer((request, response) => void answer(request.url ?? "", request.headers.authorization, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const home = join(root, "home");
  await mkdir(home);
  await writeFile(join(home, ".npmrc"), `//${new URL(url).host}/:_authToken=\${REGISTRY_TOKEN}\n`);
  const { PATH } = process.env;
  const environment = { PATH, HOME: home, REGISTRY_TOKEN: TOKEN, npm_config_fetch_retries: "0", DROVER_SECRET_X: "x" };
  store = stack.use(await openSets(join(root, "data"), undefined, { environment, registry: url }));
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await stack.disposeAsync();
});

async function answer(path: string, authorization: string | undefined, response: ServerResponse) {
  asked.push({ path, withToken: authorization === `Bearer ${TOKEN}` });
  const name = path.replace(/^\/|\.tgz$/g, "");
  if (name === "private") return response.writeHead(401).end("{}");
  if (!["fine", "unsafe", "damaged", "renamed"].includes(name)) return response.writeHead(404).end("{}");
  const file = join(root, `${name}-1.0.0.tgz`);
  const bytes = await readFile(file);
  // Somebody has changed what the registry sends, and not what it says of it.
  if (path.endsWith(".tgz")) return response.end(name === "damaged" ? Buffer.concat([bytes, bytes]) : bytes);
  const dist = { tarball: `${url}${name}.tgz`, integrity: await integrityOf(file) };
  const versions = { "1.0.0": { name, version: "1.0.0", dist } };
  response.end(JSON.stringify({ name, "dist-tags": { latest: "1.0.0" }, versions }));
}

const create = (name: string, more: Parameters<typeof draftOf>[3] = {}) =>
  store.create(
    draftOf("set", [`${name}@1.0.0`], "", { origin: { type: "registry", url: undefined }, replace: true, ...more }),
    { signal },
  );

/** With it npm has to start once less. */
const locked = async (name: string) => ({
  lockfile: lockfileFor(name, "1.0.0", await integrityOf(join(root, `${name}-1.0.0.tgz`))),
});

it("a set comes from the registry of the setting, with the login of the user's own npm configuration", async () => {
  const { manifest } = await create("fine");
  expect(manifest.packages).toMatchObject([{ name: "fine", license: "MIT" }]);
  expect(asked.length).toBeGreaterThan(0);
  expect(asked.filter(({ withToken }) => !withToken)).toEqual([]);
  expect(JSON.stringify(manifest)).not.toContain("127.0.0.1");
});

it.each([
  ["unsafe", "PACKAGE_UNSAFE", "leaves its folder", () => locked("unsafe")],
  ["damaged", "PACKAGE_DAMAGED", "damaged", () => locked("damaged")],
  ["renamed", "PACKAGE_DAMAGED", "calls itself", () => locked("renamed")],
  ["nothing", "PACKAGE_NOT_FOUND", "nothing", () => ({})],
  ["private", "REGISTRY_UNAVAILABLE", "401", () => ({})],
])("what a registry sends is looked into: %s is %s", async (name, reason, told, more) => {
  const failed = await create(name, await more()).catch((error) => error);
  expect(failed).toMatchObject({ reason, message: expect.stringContaining(told) });
  expect(JSON.stringify(failed)).not.toContain(TOKEN);
  expect(await readdir(join(root, "data/library-sets/staging"))).toEqual([]);
});

it("a registry that is not there is told from a package that is not there", async () => {
  await expect(create("fine", { origin: { type: "registry", url: "http://127.0.0.1:9/" } })).rejects.toMatchObject({
    reason: "REGISTRY_UNAVAILABLE",
  });
});

it("a user without a home that can be written installs, too", async () => {
  const environment = { PATH: process.env.PATH, HOME: "/nonexistent" };
  const id = "22222222-2222-4222-8222-222222222222";
  await using homeless = await openSets(join(root, "data"), id, { environment, registry: url });
  const draft = draftOf("homeless", [], "", {
    ...(await locked("fine")),
    origin: { type: "registry", url: undefined },
  });
  expect((await homeless.create(draft, { signal })).hash).toBe((await store.byName("set")).hash);
});

it("a registry that is gone is told, although npm knows its packages from before", async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await expect(create("fine")).rejects.toMatchObject({
    reason: "REGISTRY_UNAVAILABLE",
    message: `request to ${url}fine failed, reason: ECONNREFUSED`,
  });
  // What a lockfile names by its hash is there.
  expect(await create("fine", await locked("fine"))).toMatchObject({ hash: (await store.byName("set")).hash });
});
