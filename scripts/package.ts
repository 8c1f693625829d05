/** Makes dist/drover-<version>-linux-<arch>.tar.gz: everything that a host needs, to be unpacked anywhere. */
import { join } from "node:path";
import { makeTarball } from "./tarball.ts";

const root = join(import.meta.dirname, "..");
process.stdout.write(`${await makeTarball(join(root, "dist"))}\n`);
