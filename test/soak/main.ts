import { parseArgs } from "node:util";
import { bundleClient } from "../helpers/client-process.ts";
import { driverPackageOf } from "../helpers/driver-package.ts";
import { FaultScene } from "../helpers/fault-scene.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { faults } from "./faults.ts";
import { leftOver } from "./left-over.ts";
import { Random } from "./random.ts";
import { Users } from "./users.ts";

// Random faults, one round after the other, while clients ask all the time. What it did is printed when something is wrong.

const { values } = parseArgs({ options: { rounds: { type: "string" }, seed: { type: "string" } } });
const rounds = Number(values.rounds ?? 200);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
if (!Number.isSafeInteger(rounds) || !Number.isSafeInteger(seed)) {
  process.stderr.write("usage: npm run test:soak -- [--rounds N] [--seed S]\n");
  process.exit(2);
}

const random = new Random(seed);
const history: string[] = [];
let round = 0;

async function soak(): Promise<void> {
  await using driver = await driverPackageOf();
  await using folder = await temporaryFolder();
  const client = await bundleClient(folder.path);
  await using scene = await FaultScene.open({ program: driver.program });
  {
    await using users = await Users.start({ scene, client });
    for (round = 1; round <= rounds; round++) {
      const count = random.chance(0.3) ? 2 : 1;
      const chosen = Array.from({ length: count }, () => random.weighted(faults));
      history.push(`round ${round}: ${chosen.map(({ name }) => name).join(" and ")}`);
      const place = { scene, users, random, driverFile: `${driver.folder}/driver.mjs`, note };
      const checks = await Promise.all(chosen.map((fault) => fault.run(place)));
      for (const check of checks) await check?.();
      users.check();
      await scene.check();
      if (round % 10 === 0) process.stdout.write(`round ${round} of ${rounds}: ${users.summary}\n`);
    }
    await users.stop();
    users.check();
    process.stdout.write(`${users.summary}\n`);
  }
  const last = await scene.ensure();
  await last.stop();
  await scene.allEnded();
  const left = await leftOver(scene.dataDirectory);
  if (left.length > 0) throw new Error(`left over: ${left.join(", ")}`);
}

function note(what: string): void {
  history.push(`  ${what}`);
}

process.stdout.write(`${rounds} rounds with the seed ${seed}\n`);
const begin = performance.now();
try {
  await soak();
  process.stdout.write(`all ${rounds} rounds held, in ${Math.round((performance.now() - begin) / 1000)} s\n`);
} catch (error) {
  process.stderr.write(`seed ${seed}, round ${round}: what was done last:\n${history.slice(-30).join("\n")}\n`);
  console.error(error);
  process.exitCode = 1;
}
