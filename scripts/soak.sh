#!/bin/sh
# Random faults for drivers and their clients: `npm run test:soak -- --rounds 200 --seed 1`.
set -eu
cd "$(dirname "$0")/.."
sh scripts/install.sh
PATH="$PWD/node_modules/.bin:$PATH"
exec node --conditions=drover-source test/soak/main.ts "$@"
