import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { ChannelCredentials, type VerifyOptions } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DriverService } from "../../src/gen/drover/v1/driver_service_pb.js";
import { OperationService } from "../../src/gen/drover/v1/operation_service_pb.js";
import { type Certificate, makeCertificate } from "../helpers/certificates.ts";
import { runMain, startDriver, type TestDriver } from "../helpers/driver.ts";
import { failure, GrpcClient } from "../helpers/grpc-client.ts";

const run = promisify(execFile);
const authority = makeCertificate("Test Authority");
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-tls-"));
  await writeFile(join(folder, "ca.pem"), authority.cert);
  await install(makeCertificate("server 1", authority));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function install({ cert, key }: Certificate): Promise<void> {
  await writeFile(join(folder, "cert.pem"), cert);
  await writeFile(join(folder, "key.pem"), key);
}

function tlsFlags(): string[] {
  return ["--tls-cert-file", join(folder, "cert.pem"), "--tls-key-file", join(folder, "key.pem")];
}

function grpcClient(driver: TestDriver, client?: Certificate): GrpcClient {
  const verify: VerifyOptions = {};
  const credentials = ChannelCredentials.createSsl(
    Buffer.from(authority.cert),
    client ? Buffer.from(client.key) : null,
    client ? Buffer.from(client.cert) : null,
    verify,
  );
  return new GrpcClient(driver.address, { token: driver.token, credentials });
}

/** The subject of the certificate that the driver shows, and the protocol that it chose. */
async function handshake(address: string, protocols?: string[]): Promise<{ subject: string; protocol: unknown }> {
  const [host = "", port = ""] = address.split(":");
  const socket: TLSSocket = connect({
    host,
    port: Number(port),
    ca: authority.cert,
    ...(protocols && { ALPNProtocols: protocols }),
  });
  try {
    await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
    return { subject: String(socket.getPeerCertificate().subject.CN), protocol: socket.alpnProtocol };
  } finally {
    socket.destroy();
  }
}

describe("TLS", () => {
  let driver: TestDriver;

  beforeAll(async () => {
    driver = await startDriver({ args: [...tlsFlags(), "--tls-reload-interval", "100ms"] });
  });

  afterAll(() => driver[Symbol.asyncDispose]());

  test("gRPC and JSON are served on the one port", async () => {
    using client = grpcClient(driver);
    const { response } = await client.unary(DriverService.method.getDriver, {});
    expect(response.instanceId).toBe(driver.instanceId);
    // Offers h2 and http/1.1, like a browser.
    const { stdout } = await run("curl", [
      "-sS",
      ...["--cacert", join(folder, "ca.pem")],
      ...["-H", `authorization: Bearer ${driver.token}`, "-H", "content-type: application/json", "-d", "{}"],
      `https://${driver.address}/drover.v1.DriverService/GetDriver`,
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ instanceId: driver.instanceId, state: "DRIVER_STATE_SERVING" });
  });

  test.each([
    [["h2"], "h2"],
    [["h2", "http/1.1"], "http/1.1"],
    [["http/1.1"], "http/1.1"],
    [undefined, false],
  ])("a client that offers %j gets %j", async (offered, chosen) => {
    expect((await handshake(driver.address, offered)).protocol).toBe(chosen);
  });

  test("a client that offers neither protocol is turned away", async () => {
    await expect(handshake(driver.address, ["spdy/3"])).rejects.toThrow();
  });

  test("a plain connection is closed", async () => {
    await expect(fetch(`http://${driver.address}/healthz`)).rejects.toThrow();
  });

  test("certificates are read again while the driver runs, and broken ones are not taken", async () => {
    using client = grpcClient(driver);
    await client.unary(DriverService.method.getDriver, {});
    await install(makeCertificate("server 2", authority));
    await expect.poll(async () => (await handshake(driver.address)).subject).toBe("server 2");
    await writeFile(join(folder, "cert.pem"), "broken");
    await expect.poll(() => driver.log()).toContain("can't be read again");
    expect((await handshake(driver.address)).subject).toBe("server 2");
    // The connection that was there all the time still works.
    await client.unary(DriverService.method.getDriver, {});
    await install(makeCertificate("server 3", authority));
    await expect.poll(async () => (await handshake(driver.address)).subject).toBe("server 3");
  });
});

describe("mutual TLS", () => {
  let driver: TestDriver;

  beforeAll(async () => {
    driver = await startDriver({ args: [...tlsFlags(), "--tls-client-ca-file", join(folder, "ca.pem")] });
  });

  afterAll(() => driver[Symbol.asyncDispose]());

  test("a client with a certificate of the authority and the token is let in", async () => {
    using client = grpcClient(driver, makeCertificate("app server", authority));
    const { response } = await client.unary(OperationService.method.listOperations, {});
    expect(response.operations).toEqual([]);
  });

  test("a certificate alone is not enough", async () => {
    const { key, cert } = makeCertificate("app server", authority);
    const credentials = ChannelCredentials.createSsl(Buffer.from(authority.cert), Buffer.from(key), Buffer.from(cert));
    using client = new GrpcClient(driver.address, { credentials });
    expect(await failure(client.unary(DriverService.method.getDriver, {}))).toMatchObject({
      reason: "UNAUTHENTICATED",
    });
  });

  test.each([
    ["no certificate", undefined],
    ["a certificate of somebody else", makeCertificate("stranger", makeCertificate("Other Authority"))],
  ])("a client with %s is turned away", async (_case, certificate) => {
    using client = grpcClient(driver, certificate);
    const error = await failure(client.unary(DriverService.method.getDriver, {}));
    expect(error).toMatchObject({ code: 14 });
  });

  test("a second driver of the profile sees that this one lives", async () => {
    const { code, stderr } = await runMain(["serve", "--data-dir", driver.dataDir]);
    expect(stderr).toContain("ALREADY_RUNNING");
    expect(code).toBe(1);
  });
});

describe("what is refused at the start", () => {
  test("listening on another address than loopback without TLS", async () => {
    const dataDir = join(folder, "plain");
    const { code, stderr } = await runMain(["serve", "--data-dir", dataDir, "--listen", "0.0.0.0:0"]);
    expect(stderr).toContain("drover: LISTEN_REFUSED: 0.0.0.0:0 is not loopback");
    expect(code).toBe(1);
  });

  test("a certificate that is not there, and one that is not the key's", async () => {
    const dataDir = join(folder, "tls");
    const missing = await runMain(["serve", "--data-dir", dataDir, "--tls-cert-file", "/no", "--tls-key-file", "/no"]);
    expect(missing.stderr).toContain("drover: TLS_INVALID: /no can't be read");
    await writeFile(join(folder, "other.pem"), makeCertificate("other").key);
    const files = ["--tls-cert-file", join(folder, "cert.pem"), "--tls-key-file", join(folder, "other.pem")];
    const mismatched = await runMain(["serve", "--data-dir", dataDir, ...files]);
    expect(mismatched.stderr).toContain("drover: TLS_INVALID:");
    expect(mismatched.code).toBe(1);
  });

  test("an explicit word allows it", async () => {
    await using driver = await startDriver({ args: ["--listen", "0.0.0.0:0", "--allow-plain-remote"] });
    expect(driver.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect((await fetch(`http://${driver.address}/healthz`)).status).toBe(200);
  });
});
