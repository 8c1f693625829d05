#!/bin/sh
# Generates into a copy and compares: generated code and reference pages must be what their sources say.
set -eu
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/before"
cp -R src/gen "$copy/before/src-gen"
cp -R clients/node/src/gen "$copy/before/client-gen"
cp -R docs "$copy/before/docs"
buf generate
node --conditions=drover-source scripts/docs.ts
status=0
diff -r "$copy/before/src-gen" src/gen || status=1
diff -r "$copy/before/client-gen" clients/node/src/gen || status=1
diff -r "$copy/before/docs" docs || status=1
if [ "$status" -ne 0 ]; then
  echo "generated files were not up to date; they are now: commit them (npm run generate)" >&2
fi
exit "$status"
