import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";

/** A grpc-js server that gives back the bytes that it gets: the least that a call can cost in this stack. */
export interface EchoServer extends AsyncDisposable {
  readonly address: string;
}

const passBytes = (bytes: Buffer) => bytes;

/** The method of the echo server; its messages are bytes. */
export const echoMethod = {
  path: "/bench.EchoService/Echo",
  requestStream: false,
  responseStream: false,
  requestSerialize: passBytes,
  requestDeserialize: passBytes,
  responseSerialize: passBytes,
  responseDeserialize: passBytes,
} as const;

/** Starts it in a process of its own, as the driver is. */
export async function startEchoServer(): Promise<EchoServer> {
  const { fork } = await import("node:child_process");
  const child = fork(import.meta.filename, { execArgv: [] });
  const address = await new Promise<string>((resolve, reject) => {
    child.once("message", (port) => resolve(`127.0.0.1:${port}`));
    child.once("exit", (code) => reject(new Error(`the echo server ended with ${code}`)));
  });
  return {
    address,
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    },
  };
}

if (process.argv[1] === import.meta.filename) {
  const server = new Server();
  const echo = (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => done(null, call.request);
  server.addService({ echo: echoMethod }, { echo });
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    process.send?.(port);
  });
}
