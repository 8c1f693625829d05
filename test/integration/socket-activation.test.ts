import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type ListenOptions } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DatasetService } from "../../src/gen/drover/v1/dataset_service_pb.js";
import { driverCommand, type Exit } from "../helpers/driver.ts";
import { GrpcClient } from "../helpers/grpc-client.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

interface Activated extends AsyncDisposable {
  /** What was bound for the driver. */
  readonly port: number;
  readonly exited: Promise<Exit>;
  log(): string;
}

/** Starts a driver as a service manager does: the first descriptors after stderr are sockets that listen already. */
async function activate(dataDir: string, listen: ListenOptions, { args = "", sockets = 1 } = {}): Promise<Activated> {
  const server = createServer().listen(listen);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } })._handle;
  // The shell becomes the driver, so that the pid is the one that it says.
  const script = `LISTEN_FDS=${sockets} LISTEN_PID=$$ exec "$@" ${args}`;
  const command = [...driverCommand(), "serve", "--data-dir", dataDir];
  const child = spawn("sh", ["-c", `export LISTEN_FDS LISTEN_PID; ${script}`, "sh", ...command], {
    stdio: ["ignore", "ignore", "pipe", fd],
    env: { PATH: process.env.PATH, HOME: process.env.HOME },
  });
  // The driver has it now; what connects meanwhile waits for it.
  server.close();
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const exited: Promise<Exit> = once(child, "close").then(([code, signal]) => ({ code, signal }));
  return {
    port,
    exited,
    log: () => log,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill();
      await exited;
    },
  };
}

const addressFile = (dataDir: string) => JSON.parse(readFileSync(join(dataDir, "drivers", "default.json"), "utf8"));

test("a driver serves on the socket that it is handed, and on no other, from the first connection on", async () => {
  await using folder = await temporaryFolder();
  await using driver = await activate(folder.path, { host: "127.0.0.1", port: 0 });
  // Before the driver is up.
  const response = await fetch(`http://127.0.0.1:${driver.port}/healthz`);
  expect(await response.text()).toBe("alive\n");
  await expect.poll(() => driver.log()).toContain('"message":"serving"');
  const { address, instanceId } = addressFile(folder.path);
  expect(address).toBe(`127.0.0.1:${driver.port}`);
  expect(response.headers.get("drover-instance-id")).toBe(instanceId);
  // On loopback, clients may name any file.
  const file = join(folder.path, "few.csv");
  await writeFile(file, "n\n1\n");
  using client = new GrpcClient(address, { token: readFileSync(join(folder.path, "token"), "utf8").trim() });
  await client.unary(DatasetService.method.loadDataset, { dataset: "n", source: { uri: file } });
});

test("a socket that other machines can reach needs TLS or an explicit word, and then lets no file be named", async () => {
  await using folder = await temporaryFolder();
  await using refused = await activate(folder.path, { host: "0.0.0.0", port: 0 });
  expect((await refused.exited).code).toBe(1);
  expect(refused.log()).toContain("drover: LISTEN_REFUSED: the socket at 0.0.0.0 is not loopback");
  await using allowed = await activate(folder.path, { host: "0.0.0.0", port: 0 }, { args: "--allow-plain-remote" });
  await expect.poll(() => allowed.log()).toContain('"message":"serving"');
  const { address } = addressFile(folder.path);
  expect(address).toBe(`127.0.0.1:${allowed.port}`);
  using client = new GrpcClient(address, { token: readFileSync(join(folder.path, "token"), "utf8").trim() });
  const { response } = await client.unary(DatasetService.method.loadDataset, {
    dataset: "n",
    source: { uri: "/x.csv" },
  });
  const operationId = response.operation?.id ?? "";
  const watched = client.stream(DatasetService.method.watchLoad, { operationId });
  const events = await watched.toArray();
  expect(events.at(-1)?.event).toMatchObject({
    value: { operation: { error: { message: expect.stringContaining("outside of the folders") } } },
  });
});

test("more sockets than one are an error", async () => {
  await using folder = await temporaryFolder();
  await using driver = await activate(folder.path, { host: "127.0.0.1", port: 0 }, { sockets: 2 });
  expect((await driver.exited).code).toBe(1);
  expect(driver.log()).toContain("drover: LISTEN_FAILED: the service manager hands over 2 sockets");
});

test("a socket of another kind is an error", async () => {
  await using folder = await temporaryFolder();
  await using driver = await activate(folder.path, { path: join(folder.path, "x.sock") });
  expect((await driver.exited).code).toBe(1);
  expect(driver.log()).toContain("drover: LISTEN_FAILED: can't listen on the socket that was handed over");
});

test("a descriptor that is no socket is an error", async () => {
  await using folder = await temporaryFolder();
  const descriptor = openSync("/dev/null", "r");
  const script = 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"';
  const command = [...driverCommand(), "serve", "--data-dir", folder.path];
  const child = spawn("sh", ["-c", script, "sh", ...command], { stdio: ["ignore", "ignore", "pipe", descriptor] });
  closeSync(descriptor);
  let log = "";
  child.stderr?.on("data", (text) => {
    log += text;
  });
  const [code] = await once(child, "close");
  expect(log).toContain("drover: LISTEN_FAILED: can't listen on the socket that was handed over");
  expect(code).toBe(1);
});
