import { execFile } from "node:child_process";
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { bundleClient, type ClientCommand, type ClientEvent } from "../helpers/client-process.ts";
import { copyProgram } from "../helpers/copied-program.ts";
import { driversOf, eventually, killDrivers } from "../helpers/driver-processes.ts";
import { makeUsers, type OsUser, type OsUsers } from "../helpers/os-users.ts";

const timeoutMs = 60_000;

vi.setConfig({ testTimeout: 240_000 });

// Two users of the system are the only way to see what one may do with the other's driver, and only root can make them.
describe("app servers of two users in one group", () => {
  let users: OsUsers;
  let folder: string;
  let client: string;
  let program: readonly string[];

  beforeAll(async () => {
    users = await makeUsers(2);
    folder = await mkdtemp(join(tmpdir(), "drover-users-"));
    await chmod(folder, 0o755);
    program = await copyProgram(join(folder, "program"));
    client = await bundleClient(folder);
    await chmod(client, 0o644);
  });

  afterAll(async () => {
    await users[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  /** Made as an administrator makes it; what is left of its drivers ends with the test. */
  async function sharedDirectory(name: string): Promise<AsyncDisposable & { readonly path: string }> {
    const path = join(folder, name);
    await mkdir(join(path, "profiles"), { recursive: true });
    await writeFile(join(path, "profiles", "default.toml"), 'share = "group"\n');
    await chown(path, 0, users.group.gid);
    await chmod(path, 0o2770);
    return { path, [Symbol.asyncDispose]: () => killDrivers(path) };
  }

  /** What a client of this user comes to, with a mask that keeps the group out of what it makes. */
  async function ensure(user: OsUser, dataDirectory: string, unresponsiveAfterMs?: number): Promise<ClientEvent> {
    const options = { dataDirectory, program, lease: false as const, unresponsiveAfterMs };
    const command: ClientCommand = { do: "ensure", options, timeoutMs };
    const [file = "", ...args] = [...user.as, "sh", "-c", 'umask 077; exec "$0" "$1"', program[0] ?? "", client];
    const running = promisify(execFile)(file, args, { env: { PATH: process.env.PATH } });
    running.child.stdin?.end(`${JSON.stringify(command)}\n`);
    const events = (await running).stdout.trim().split("\n");
    return JSON.parse(events.at(-1) ?? "") as ClientEvent;
  }

  test("share the driver that the first one has started, and either of them starts the next one", async () => {
    const [anna, ben] = users.members as [OsUser, OsUser];
    await using data = await sharedDirectory("data");
    const seen = new Set<string>();
    for (const [starter, other] of [
      [anna, ben],
      [ben, anna],
      [anna, ben],
    ] as const) {
      const started = await ensure(starter, data.path);
      expect(started.event).toBe("connected");
      expect(await ensure(other, data.path)).toEqual(started);
      expect(await driversOf(data.path)).toHaveLength(1);
      seen.add(JSON.stringify(started));
      await killDrivers(data.path);
    }
    expect(seen.size).toBe(3);
  });

  test("do not kill each other's driver when it hangs; its own user does", async () => {
    const [anna, ben] = users.members as [OsUser, OsUser];
    await using data = await sharedDirectory("hanging");
    await ensure(anna, data.path);
    const [pid = 0] = await driversOf(data.path);
    process.kill(pid, "SIGSTOP");
    expect(await ensure(ben, data.path, 1_000)).toMatchObject({ event: "failed", reason: "DRIVER_UNRESPONSIVE" });
    expect(await driversOf(data.path)).toEqual([pid]);
    expect((await ensure(anna, data.path, 1_000)).event).toBe("connected");
    await eventually(async () => !(await driversOf(data.path)).includes(pid));
  });

  test("a stranger to the group is told that the directory is closed to it", async () => {
    await using data = await sharedDirectory("closed");
    await ensure(users.members[0] as OsUser, data.path);
    const address = await readFile(join(data.path, "drivers", "default.json"), "utf8");
    const refused = await ensure(users.stranger, data.path);
    expect(refused).toMatchObject({ event: "failed", reason: "DRIVER_START_FAILED" });
    expect(refused).toMatchObject({ message: expect.stringContaining("EACCES") });
    expect(await readFile(join(data.path, "drivers", "default.json"), "utf8")).toBe(address);
  });
});
