import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { BenchDriver } from "./driver.ts";
import { type EchoServer, echoMethod } from "./echo-server.ts";
import { median } from "./statistics.ts";

const IN_FLIGHT = 64;
const CALLS = 6_000;
const RUNS = 7;
const GET_DRIVER = "/drover.v1.DriverService/GetDriver";

/** The ratio of the rates of GetDriver and of an echo of as many bytes, runs interleaved. Neither side decodes answers. */
export async function driverOverEcho(driver: BenchDriver, echo: EchoServer): Promise<number> {
  const toDriver = new Client(driver.address, credentials.createInsecure());
  const toEcho = new Client(echo.address, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${driver.token}`);
  const answer = await call(toDriver, GET_DRIVER, Buffer.alloc(0), metadata);
  const ratios: number[] = [];
  for (let run = 0; run <= RUNS; run++) {
    const echoed = await callsPerSecond(() => call(toEcho, echoMethod.path, answer, metadata));
    const answered = await callsPerSecond(() => call(toDriver, GET_DRIVER, Buffer.alloc(0), metadata));
    // The first pair warms both sides up.
    if (run > 0) ratios.push(answered / echoed);
  }
  toDriver.close();
  toEcho.close();
  return median(ratios);
}

function call(client: Client, path: string, request: Buffer, metadata: Metadata): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      echoMethod.requestSerialize,
      echoMethod.responseDeserialize,
      request,
      metadata,
      (error, response) => (error || !response ? reject(error ?? new Error("no answer")) : resolve(response)),
    );
  });
}

async function callsPerSecond(once: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  let left = CALLS;
  const worker = async () => {
    while (left-- > 0) await once();
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return CALLS / ((performance.now() - start) / 1000);
}
