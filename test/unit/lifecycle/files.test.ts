import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  addressFilePath,
  describeAddress,
  readAddressFile,
  withdrawAddressFile,
  writeAddressFile,
} from "../../../src/lifecycle/address-file.ts";
import { createIdentity, fingerprintOf } from "../../../src/lifecycle/identity.ts";
import { Readiness } from "../../../src/lifecycle/readiness.ts";
import { readOrCreateToken } from "../../../src/lifecycle/token-file.ts";
import { openWorkFolder } from "../../../src/lifecycle/work-folder.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "drover-lifecycle-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the token file", () => {
  test("is made once, for its owner only", () => {
    const file = join(folder, "deep", "token");
    const token = readOrCreateToken(file);
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readOrCreateToken(file)).toBe(token);
  });

  test("is refused where others may read it", () => {
    const file = join(folder, "token");
    readOrCreateToken(file);
    chmodSync(file, 0o640);
    expect(() => readOrCreateToken(file)).toThrow("may be read by others");
  });

  test.each(["", "short", "has a space in the middle of it", "não-ascii-não-ascii-não"])(
    "with %j is refused",
    (text) => {
      const file = join(folder, "token");
      writeFileSync(file, text, { mode: 0o600 });
      expect(() => readOrCreateToken(file)).toThrow("holds no token");
    },
  );

  test("that can't be made says where", () => {
    writeFileSync(join(folder, "file"), "");
    expect(() => readOrCreateToken(join(folder, "file", "token"))).toThrow(join(folder, "file", "token"));
  });
});

describe("the address file", () => {
  const identity = () => createIdentity({ version: "1.2.3", profile: "default", profileFile: undefined });
  const place = { address: "127.0.0.1:1", tls: false, tokenFile: "/t" };

  test("is read as it was written, and replaces the one before", async () => {
    const file = addressFilePath(folder, "default");
    await writeAddressFile(file, describeAddress(identity(), place));
    const content = describeAddress(identity(), place);
    await writeAddressFile(file, content);
    expect(readAddressFile(file)).toEqual(content);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("is withdrawn by its own driver only", async () => {
    const file = addressFilePath(folder, "default");
    const content = describeAddress(identity(), place);
    await writeAddressFile(file, content);
    await withdrawAddressFile(file, "another");
    expect(readAddressFile(file)).toEqual(content);
    await withdrawAddressFile(file, content.instanceId);
    expect(readAddressFile(file)).toBeUndefined();
  });

  test.each(["", "{", "[]", "null", '{"formatVersion":2}'])("that holds %j counts as none", (text) => {
    const file = join(folder, "x.json");
    writeFileSync(file, text);
    expect(readAddressFile(file)).toBeUndefined();
  });
});

test("the fingerprint can be computed from two lines and the profile's bytes", () => {
  const file = join(folder, "p.toml");
  writeFileSync(file, "threads = 1\n");
  const { fingerprint } = createIdentity({ version: "1.2.3", profile: "p", profileFile: file });
  const bytes = Buffer.concat([Buffer.from("1.2.3\ndrover.v1\n"), readFileSync(file)]);
  expect(fingerprint).toBe(createHash("sha256").update(bytes).digest("hex"));
  expect(fingerprintOf("1.2.3", undefined)).not.toBe(fingerprint);
});

test("readiness only goes forward, and tells those who watch", () => {
  const readiness = new Readiness();
  const seen: string[] = [];
  const stop = readiness.onChange((state) => seen.push(state));
  expect(readiness.serving).toBe(false);
  readiness.becomeServing();
  readiness.becomeStopping();
  readiness.becomeServing();
  readiness.becomeStopping();
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
