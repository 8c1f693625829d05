import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { takeHandedSocket } from "../../../src/lifecycle/handed-socket.ts";
import { takeLaunchArguments } from "../../../src/lifecycle/launch-arguments.ts";
import { LaunchMessages } from "../../../src/lifecycle/launch-messages.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

describe("launch arguments", () => {
  test("are taken out of the others, in both spellings", () => {
    const { launch, rest } = takeLaunchArguments([
      ...["--launch-id", "a", "--threads", "2", "--log-file=/x y", "--replaces", "b", "--log-level=debug"],
    ]);
    expect(launch).toEqual({ id: "a", descriptor: undefined, logFile: "/x y", replaces: "b" });
    expect(rest).toEqual(["--threads", "2", "--log-level=debug"]);
  });

  test.each([["--launch-id"], ["--launch-id="], ["--launch-id", "a/b"], ["--replaces", "../x"], ["--launch-fd", "2"]])(
    "%j are refused",
    (...args) => {
      expect(() => takeLaunchArguments(args)).toThrow(DriverError);
    },
  );
});

describe("launch messages", () => {
  test("are lines of JSON that all together fit any pipe, however long an error is", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "messages");
    const descriptor = openSync(file, "w");
    const messages = new LaunchMessages({ id: "x".repeat(100), descriptor });
    for (const phase of ["configuration", "catalog", "engine", "serving"] as const) messages.phase(phase);
    messages.standby();
    messages.failed(new DriverError("CONFIG_INVALID", "\u{1F600}".repeat(5000)));
    const text = readFileSync(file, "utf8");
    expect(Buffer.byteLength(text)).toBeLessThan(8192);
    const events = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event)).toEqual(["phase", "phase", "phase", "phase", "standby", "failed"]);
    expect(events.at(-1)).toMatchObject({ reason: "CONFIG_INVALID", phase: "serving" });
    // The last message closes the descriptor, and only once.
    messages[Symbol.dispose]();
    expect(() => closeSync(descriptor)).toThrow("EBADF");
  });
});

describe("a socket that is handed over", () => {
  test("is taken by the process that it is for, and no longer announced to others", () => {
    const environment = { LISTEN_FDS: "1", LISTEN_PID: "42", LISTEN_FDNAMES: "a", PATH: "/bin" };
    expect(takeHandedSocket({ ...environment }, 43)).toBeUndefined();
    expect(takeHandedSocket(environment, 42)).toBe(3);
    expect(environment).toEqual({ PATH: "/bin" });
  });

  test.each(["0", "2", "x"])("as %s sockets is refused", (count) => {
    expect(() => takeHandedSocket({ LISTEN_FDS: count, LISTEN_PID: "42" }, 42)).toThrow("the driver serves on one");
  });
});
