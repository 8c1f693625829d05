import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["drover-source"] },
  ssr: { resolve: { conditions: ["drover-source"] } },
  test: {
    globalSetup: ["test/setup/bundles.ts", "test/setup/mariadb.ts", "test/setup/postgres.ts"],
    include: ["test/**/*.test.ts", "clients/*/test/**/*.test.ts"],
    // Real engines and child processes on two cores: the default 5 s is a guess about the machine, not about the code.
    testTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
    hookTimeout: 120_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
