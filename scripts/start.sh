#!/bin/sh
# From a fresh clone to a driver with data: installs and builds what is missing, then runs scripts/start.ts.
set -eu
cd "$(dirname "$0")/.."
sh scripts/install.sh
PATH="$PWD/node_modules/.bin:$PATH"

stale() {
  [ ! -f packages/driver/dist/driver.mjs ] || [ ! -f clients/cli/dist/cli.mjs ] || [ ! -f clients/node/dist/index.js ] ||
    [ -n "$(find src packages/*/src clients/*/src clients/*/package.json package-lock.json scripts/build*.ts scripts/bundle.ts -newer clients/cli/dist/cli.mjs | head -n 1)" ]
}
if stale; then
  echo "Building"
  node scripts/build.ts
fi

exec node scripts/start.ts
