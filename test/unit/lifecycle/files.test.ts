import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  addressFileOwner,
  addressFilePath,
  describeAddress,
  removeAddressDrafts,
  withdrawAddressFile,
  writeAddressFile,
} from "../../../src/lifecycle/address-file.ts";
import { createIdentity } from "../../../src/lifecycle/identity.ts";
import { Readiness } from "../../../src/lifecycle/readiness.ts";
import { readOrCreateToken } from "../../../src/lifecycle/token-file.ts";
import { openWorkFolder } from "../../../src/lifecycle/work-folder.ts";

const OWN = { group: undefined };
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "drover-lifecycle-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the token file", () => {
  test("is made once, for its owner only", () => {
    const file = join(folder, "deep", "token");
    const token = readOrCreateToken(file, OWN);
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readOrCreateToken(file, OWN)).toBe(token);
  });

  test("is refused where others may read it", () => {
    const file = join(folder, "token");
    readOrCreateToken(file, OWN);
    chmodSync(file, 0o640);
    expect(() => readOrCreateToken(file, OWN)).toThrow("may be read by others; its mode must be 0600");
  });

  test("may be read by the group that shares the data directory, by no other group and by nobody else", () => {
    const file = join(folder, "token");
    const token = readOrCreateToken(file, OWN);
    chmodSync(file, 0o640);
    const { gid } = statSync(file);
    expect(readOrCreateToken(file, { group: gid })).toBe(token);
    expect(() => readOrCreateToken(file, { group: gid + 1 })).toThrow("its mode must be 0640");
    chmodSync(file, 0o644);
    expect(() => readOrCreateToken(file, { group: gid })).toThrow("its mode must be 0640");
  });

  test.each(["", "short", "has a space in the middle of it", "não-ascii-não-ascii-não"])(
    "with %j is refused",
    (text) => {
      const file = join(folder, "token");
      writeFileSync(file, text, { mode: 0o600 });
      expect(() => readOrCreateToken(file, OWN)).toThrow("holds no token");
    },
  );

  test("that can't be made says where", () => {
    writeFileSync(join(folder, "file"), "");
    expect(() => readOrCreateToken(join(folder, "file", "token"), OWN)).toThrow(join(folder, "file", "token"));
  });
});

describe("the address file", () => {
  const identity = () =>
    createIdentity({ version: "1.2.3", profile: "default", profileBytes: undefined, setHashes: new Map() });
  const launch = { id: undefined, logFile: undefined };
  const place = { address: "127.0.0.1:1", tls: false, tokenFile: "/t", launch };

  test("is read as it was written, and replaces the one before", async () => {
    const file = addressFilePath(folder, "default");
    await writeAddressFile(file, describeAddress(identity(), place));
    const content = describeAddress(identity(), place);
    await writeAddressFile(file, content);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(content);
    expect(readdirSync(join(folder, "drivers"))).toEqual(["default.json"]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("leaves no drafts of killed drivers of the same profile behind", async () => {
    const file = addressFilePath(folder, "default");
    await writeAddressFile(file, describeAddress(identity(), place));
    for (const name of ["default.json.dead.tmp", "other.json.dead.tmp"])
      writeFileSync(join(folder, "drivers", name), "");
    await removeAddressDrafts(file);
    expect(readdirSync(join(folder, "drivers")).sort()).toEqual(["default.json", "other.json.dead.tmp"]);
  });

  test("is withdrawn by its own driver only", async () => {
    const file = addressFilePath(folder, "default");
    const content = describeAddress(identity(), place);
    await writeAddressFile(file, content);
    await withdrawAddressFile(file, "another");
    expect(await addressFileOwner(file)).toBe(content.instanceId);
    await withdrawAddressFile(file, content.instanceId);
    expect(await addressFileOwner(file)).toBeUndefined();
  });

  test.each(["", "{", "[]", "null", '{"formatVersion":2}', '{"instanceId":7}'])(
    "that holds %j is nobody's",
    async (text) => {
      const file = join(folder, "x.json");
      writeFileSync(file, text);
      expect(await addressFileOwner(file)).toBeUndefined();
    },
  );
});

test("readiness only goes forward, and tells those who watch", () => {
  const readiness = new Readiness();
  const seen: string[] = [];
  const stop = readiness.onChange((state) => seen.push(state));
  expect(readiness.serving).toBe(false);
  readiness.become("serving");
  readiness.become("stopping");
  readiness.become("serving");
  readiness.become("stopping");
  stop();
  expect(seen).toEqual(["serving", "stopping"]);
  expect(readiness.state).toBe("stopping");
});

test("work folders go with their driver, and those of dead ones when they are found", async () => {
  const open = (instanceId: string) =>
    openWorkFolder({ dataDirectory: folder, instanceId, isAlive: async (id) => id !== "dead" });
  await (await open("dead")).make("reader");
  const other = await open("other");
  const made = await other.make("reader");
  const own = await open("own");
  await own.removeDead();
  expect(() => statSync(join(folder, "work", "dead"))).toThrow();
  expect(statSync(made).isDirectory()).toBe(true);
  await other[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  expect(() => statSync(made)).toThrow();
});
