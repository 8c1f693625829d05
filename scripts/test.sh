#!/bin/sh
# Installs what is missing, builds, and runs the tests: all of them, or those whose names are given.
set -eu
cd "$(dirname "$0")/.."
sh scripts/install.sh
PATH="$PWD/node_modules/.bin:$PATH"
node scripts/build.ts
exec vitest run "$@"
