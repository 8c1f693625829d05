import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ProfileClaim } from "../../../src/catalog/profile-claim.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const signal = new AbortController().signal;
const place = () => ({ dataDirectory: folder.path, profile: "p" });
const taken = { reason: "ALREADY_RUNNING" };

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(() => folder[Symbol.asyncDispose]());

describe("a profile", () => {
  test("belongs to one until it lets go", async () => {
    const first = await ProfileClaim.take(place());
    await expect(ProfileClaim.take(place())).rejects.toMatchObject(taken);
    using _other = await ProfileClaim.take({ ...place(), profile: "q" });
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    using _second = await ProfileClaim.take(place());
  });

  test("is not lost to one that only looks whether the lock is free, and is held up there", async () => {
    const looking = await ProfileClaim.take(place());
    const claiming = ProfileClaim.take(place());
    await setTimeout(200);
    looking[Symbol.dispose]();
    using _claim = await claiming;
  });

  test("of a data directory of a newer format is refused before anything is written", async () => {
    await writeFile(join(folder.path, "FORMAT"), "2\n");
    await expect(ProfileClaim.take(place())).rejects.toMatchObject({ reason: "DATA_DIRECTORY_NEWER" });
    expect(existsSync(join(folder.path, "drivers"))).toBe(false);
  });
});

describe("a successor", () => {
  test("is one, beside the profile's driver, and takes its place when that lets go", async () => {
    const current = await ProfileClaim.take(place());
    using successor = await ProfileClaim.succeed(place());
    await expect(ProfileClaim.succeed(place())).rejects.toMatchObject(taken);
    const taking = successor.takeOver({ timeoutMs: 20_000, signal });
    current[Symbol.dispose]();
    await taking;
    await expect(ProfileClaim.take(place())).rejects.toMatchObject(taken);
    await expect(ProfileClaim.succeed(place())).rejects.toMatchObject(taken);
    successor.published();
    using _next = await ProfileClaim.succeed(place());
    await expect(ProfileClaim.take(place())).rejects.toMatchObject(taken);
  });

  test("gives up after its time, or when it is told to, and leaves the driver its place", async () => {
    using _current = await ProfileClaim.take(place());
    using successor = await ProfileClaim.succeed(place());
    await expect(successor.takeOver({ timeoutMs: 30, signal })).rejects.toMatchObject(taken);
    const stopped = AbortSignal.abort(new Error("enough"));
    await expect(successor.takeOver({ timeoutMs: 20_000, signal: stopped })).rejects.toThrow("enough");
    successor[Symbol.dispose]();
    using _next = await ProfileClaim.succeed(place());
    await expect(ProfileClaim.take(place())).rejects.toMatchObject(taken);
  });
});
