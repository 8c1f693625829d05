import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, chown, glob, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { programOf } from "../setup/debian-package.ts";
import { type Certificate, makeCertificate } from "./certificates.ts";
import { freePort, killed, saidOnStderr, serverOwner, spawnServer, succeeded } from "./server-process.ts";

/** A PostgreSQL server of its own. */
export interface PostgresServer extends AsyncDisposable {
  /** `postgresql://user:password@127.0.0.1:port/postgres`: a superuser. */
  readonly answer: string;
  readonly port: number;
  /** The folder of its Unix socket. */
  readonly socketFolder: string;
  /** The authority that has signed the server's certificate, and would sign clients'. */
  readonly authority: Certificate;
  /** SIGKILL: what a machine does that loses its power. */
  kill(): void;
}

/**
 * Starts a server on a free port in a temporary folder, as user `nobody` where the tests run as root. It ends with this
 * process, however that ends.
 */
export async function startPostgres(more: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
  const initdb = await programOf("initdb", { package: "postgresql", folders: await versionFolders() });
  const server = join(dirname(initdb), "postgres");
  const folder = await mkdtemp(join(tmpdir(), "drover-postgres-"));
  const data = join(folder, "data");
  const password = randomBytes(12).toString("hex");
  const authority = makeCertificate("drover test authority");
  const certificate = makeCertificate("127.0.0.1", authority);
  const files = { password, "ca.pem": authority.cert, "cert.pem": certificate.cert, "key.pem": certificate.key };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content, { mode: 0o600 });
  if (serverOwner !== undefined) {
    for (const name of [".", ...Object.keys(files)]) await chown(join(folder, name), serverOwner, serverOwner);
    await chmod(folder, 0o700);
  }
  // Its processes end a moment after the first of them.
  const remove = () => rm(folder, { recursive: true, force: true, maxRetries: 5 });
  let child: ChildProcess | undefined;
  try {
    const login = ["--username=drover", `--pwfile=${join(folder, "password")}`, "--auth=scram-sha-256"];
    const quick = ["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"];
    await succeeded(spawnServer(initdb, [`--pgdata=${data}`, ...login, ...quick]), "initdb");
    const port = await freePort();
    const settings = {
      listen_addresses: "127.0.0.1",
      port: String(port),
      unix_socket_directories: folder,
      ssl: "on",
      ssl_ca_file: join(folder, "ca.pem"),
      ssl_cert_file: join(folder, "cert.pem"),
      ssl_key_file: join(folder, "key.pem"),
      fsync: "off",
      full_page_writes: "off",
      shared_buffers: "64MB",
      max_connections: "60",
      ...more,
    };
    child = spawnServer(server, [
      "-D",
      data,
      ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ]);
    await saidOnStderr(child, "ready to accept connections");
    const running = child;
    return {
      answer: `postgresql://drover:${password}@127.0.0.1:${port}/postgres`,
      port,
      socketFolder: folder,
      authority,
      kill: () => running.kill("SIGKILL"),
      [Symbol.asyncDispose]: async () => {
        await killed(running);
        await remove();
      },
    };
  } catch (error) {
    if (child) await killed(child);
    await remove();
    throw error;
  }
}

/** Debian keeps each version's programs apart; the newest first. */
async function versionFolders(): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const folder of glob("/usr/lib/postgresql/*/bin")) found.push(folder);
  return found.sort((left, right) => Number(right.split("/")[4]) - Number(left.split("/")[4]));
}
