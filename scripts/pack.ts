/** Packs all packages into dist/packages. */
import { join } from "node:path";
import { pack } from "./packages.ts";

const root = join(import.meta.dirname, "..");
for (const file of Object.values(await pack(join(root, "dist", "packages")))) process.stdout.write(`${file}\n`);
