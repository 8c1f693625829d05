#!/bin/sh
# Everything that can be said of the code without running it: format, lint, types, contract, drift of generated files.
set -eu
cd "$(dirname "$0")/.."
sh scripts/install.sh
PATH="$PWD/node_modules/.bin:$PATH"

echo "format and lint"
biome ci --colors=off --error-on-warnings .
echo "types"
tsc -p .
tsc -p examples/app-server/page
echo "versions"
node scripts/check-versions.ts
echo "contract"
buf format --diff --exit-code proto
buf lint
if git rev-parse --verify --quiet origin/main >/dev/null 2>&1; then
  buf breaking proto --against '.git#branch=origin/main,subdir=proto' || exit 1
fi
echo "drift"
sh scripts/drift.sh
