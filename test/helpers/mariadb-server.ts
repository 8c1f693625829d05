import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programOf } from "../setup/debian-package.ts";
import { makeCertificate } from "./certificates.ts";
import { freePort, killed, saidOnStderr, serverOwner, spawnServer, succeeded } from "./server-process.ts";

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
  const server = await programOf("mariadbd", { package: "mariadb-server", service: "mariadb" });
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
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content, { mode: 0o600 });
  if (serverOwner !== undefined) {
    for (const name of [".", ...Object.keys(files)]) await chown(join(folder, name), serverOwner, serverOwner);
    await chmod(folder, 0o700);
  }
  const remove = () => rm(folder, { recursive: true, force: true });
  let child: ChildProcess | undefined;
  try {
    const small = ["--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0"];
    const common = ["--no-defaults", `--datadir=${data}`, ...small, "--skip-name-resolve"];
    const installing = spawnServer(installer, [
      ...common,
      "--auth-root-authentication-method=socket",
      "--skip-test-db",
    ]);
    await succeeded(installing, "mariadb-install-db");
    const port = await freePort();
    child = spawnServer(server, [
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
    await saidOnStderr(child, "ready for connections");
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
