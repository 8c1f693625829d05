#!/bin/sh
# Installs what package-lock.json names, once for each state of it. No install scripts run.
set -eu
cd "$(dirname "$0")/.."
stamp=node_modules/.drover-installed
if [ ! -f "$stamp" ] || ! cmp -s package-lock.json "$stamp"; then
  # Not with the npm that is installed here, which would take itself away.
  outside=$(printf %s "$PATH" | tr ':' '\n' | grep -vxF "$PWD/node_modules/.bin" | paste -sd: -)
  PATH=$outside npm ci --ignore-scripts --no-audit --no-fund
  cp package-lock.json "$stamp"
fi
