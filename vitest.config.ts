import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["drover-source"] },
  ssr: { resolve: { conditions: ["drover-source"] } },
  test: {
    globalSetup: [
      "test/setup/bundles.ts",
      "test/setup/fault-scene.ts",
      "test/setup/mariadb.ts",
      "test/setup/postgres.ts",
    ],
    include: ["test/**/*.test.ts", "clients/*/test/**/*.test.ts"],
    // Real engines and child processes on two cores: the default 5 s is a guess about the machine, not about the code. More than
    // what tests wait for themselves (60 s for a driver, 30 s for a condition), which says more when it does not come.
    testTimeout: 180_000,
    expect: { poll: { timeout: 30_000 } },
    hookTimeout: 180_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
