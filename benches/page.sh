#!/usr/bin/env bash
# Measures this crate beside others, and makes BENCHMARKS.md and benches/plots of the figures.
#
#   benches/page.sh              everything: about 25 minutes on two cores, the compiling included
#   benches/page.sh NAME...      only these benchmarks: see `names` below
#   benches/page.sh --no-run     only the page, of what was measured before
#
# What has been measured stays in the target folder: a run that was broken off is resumed with the
# names that are missing. Go is measured if there is a toolchain: see benches/go/run.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

names=(overhead collect in_order failure_to_return cancel uneven stream blocking scope go)

measure() {
  case $1 in
    go)
      if ! command -v go >/dev/null; then
        echo "no Go toolchain: the page is made without it"
      elif ! benches/go/run.sh; then
        echo "Go could not be measured: the page has what was measured before, if anything"
      fi
      ;;
    # What is not on the page is not measured.
    in_order | scope) cargo bench --locked --bench "$1" -- "^$1(_values|_failure)?/" ;;
    *) cargo bench --locked --bench "$1" ;;
  esac
}

case ${1:-} in
  --no-run) names=() ;;
  -*) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" && exit ;;
  ?*) names=("$@") ;;
esac

SECONDS=0
for name in "${names[@]}"; do
  printf '\n== %s, after %d minutes\n' "$name" $((SECONDS / 60))
  measure "$name"
done
cargo bench --locked --quiet --bench page -- write
printf 'It took %d minutes.\n' $((SECONDS / 60))
