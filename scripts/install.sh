#!/bin/sh
# Installs what package-lock.json names, once for each state of it. No install scripts run.
set -eu
cd "$(dirname "$0")/.."
stamp=node_modules/.drover-installed
if [ ! -f "$stamp" ] || ! cmp -s package-lock.json "$stamp"; then
  npm ci --ignore-scripts --no-audit --no-fund
  cp package-lock.json "$stamp"
fi
