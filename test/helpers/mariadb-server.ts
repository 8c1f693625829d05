import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programOf } from "../setup/debian-package.ts";
import { makeCertificate } from "./certificates.ts";

const NOBODY = 65_534;
const START_LIMIT_MS = 60_000;

/** A MariaDB server of its own. */
export interface MariadbServer extends AsyncDisposable {
  /** `mysql://user:password@127.0.0.1:port`: an account that may do everything. */
  readonly answer: string;
  readonly port: number;
  /** The authority that has signed the server's certificate, as PEM. */
  readonly authority: string;
  /** SIGKILL: what a machine does that loses its power. */
  kill(): void;
}

/**
 * Starts a server on a free port in a temporary folder, as user `nobody` where the tests run as root. It ends with this
 * process, however that ends.
 */
export async function startMariadb(more: readonly string[] = []): Promise<MariadbServer> {
  const server = await programOf("mariadbd", { package: "mariadb-server" });
  const installer = await programOf("mariadb-install-db", { package: "mariadb-server" });
  const folder = await mkdtemp(join(tmpdir(), "drover-mariadb-"));
  const data = join(folder, "data");
  const password = randomBytes(12).toString("hex");
  const authority = makeCertificate("drover test authority");
  const certificate = makeCertificate("127.0.0.1", authority);
  const files = {
    "init.sql": `CREATE USER drover@'%' IDENTIFIED BY '${password}';\nGRANT ALL ON *.* TO drover@'%' WITH GRANT OPTION;\n`,
    "ca.pem": authority.cert,
    "cert.pem": certificate.cert,
    "key.pem": certificate.key,
  };
  const owner = process.getuid?.() === 0 ? NOBODY : undefined;
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content, { mode: 0o600 });
  if (owner !== undefined) {
    for (const name of [".", ...Object.keys(files)]) await chown(join(folder, name), owner, owner);
    await chmod(folder, 0o700);
  }
  const remove = () => rm(folder, { recursive: true, force: true });
  let child: ChildProcess | undefined;
  try {
    const small = ["--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0"];
    const common = ["--no-defaults", `--datadir=${data}`, ...small, "--skip-name-resolve"];
    const installing = asOwner(owner, installer, [
      ...common,
      "--auth-root-authentication-method=socket",
      "--skip-test-db",
    ]);
    await ended(installing);
    const port = await freePort();
    child = asOwner(owner, server, [
      ...common,
      ...["--bind-address=127.0.0.1", `--port=${port}`, `--socket=${join(folder, "socket")}`, `--tmpdir=${folder}`],
      ...[
        "--skip-log-bin",
        "--innodb-doublewrite=0",
        "--max-connections=200",
        `--init-file=${join(folder, "init.sql")}`,
      ],
      ...["ca", "cert", "key"].map((name) => `--ssl-${name}=${join(folder, `${name}.pem`)}`),
      ...more,
    ]);
    await serving(child);
    const running = child;
    return {
      answer: `mysql://drover:${password}@127.0.0.1:${port}`,
      port,
      authority: authority.cert,
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

/** Its data are of no more use: nothing is gained by an orderly end. */
async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const end = once(child, "exit");
  child.kill("SIGKILL");
  await end;
}

function asOwner(owner: number | undefined, program: string, args: readonly string[]): ChildProcess {
  const identity = owner === undefined ? [] : [`--reuid=${owner}`, `--regid=${owner}`, "--clear-groups"];
  // The kernel ends the server when this process dies without having said so.
  return spawn("setpriv", ["--pdeathsig=KILL", ...identity, program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
}

async function ended(child: ChildProcess): Promise<void> {
  let said = "";
  for (const output of [child.stdout, child.stderr]) output?.on("data", (part) => (said += part));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`mariadb-install-db failed: ${said.slice(-2000)}`);
}

async function serving(child: ChildProcess): Promise<void> {
  let said = "";
  const limit = AbortSignal.timeout(START_LIMIT_MS);
  await new Promise<void>((resolve, reject) => {
    const fail = () => reject(new Error(`the MariaDB server did not start: ${said.slice(-2000)}`));
    limit.addEventListener("abort", fail);
    child.once("error", reject);
    child.once("exit", fail);
    child.stdout?.resume();
    child.stderr?.on("data", (part) => {
      said = (said + part).slice(-20_000);
      if (said.includes("ready for connections")) resolve();
    });
  });
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}
