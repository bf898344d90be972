#!/usr/bin/env bash
# Measures this crate and others, and makes BENCHMARKS.md and plots/ from the figures.
#
#   benches/page.sh              everything: about 30 minutes on two cores, with compiling
#   benches/page.sh NAME...      only these benchmarks: see `names` below
#   benches/page.sh --no-run     only the page, from earlier figures
#
#   ROUNDS=1 benches/page.sh ... one round in place of three
#
# Everything is measured in three rounds, and the page takes the median of the three: on a shared
# machine a contender is slow for some seconds now and then. The contenders of a row take turns, in
# one process. The figures stay in the target folder, so that an interrupted run can be resumed with
# the names that are missing. Go is measured once, if there is a toolchain: see benches/go/run.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
# Criterion would take a relative target folder as relative to benches/.
[ -z "${CARGO_TARGET_DIR:-}" ] || export CARGO_TARGET_DIR=$(realpath -m "$CARGO_TARGET_DIR")

names=(overhead collect process in_order failure_to_return cancel uneven stream blocking scope join
  per_worker sequential go)

bench() {
  cargo bench --locked --quiet -p rayon-errgroup-benches --bench "$1" -- "${@:2}" --quiet --noplot
}

measure() {
  case $1 in
    go)
      if ! command -v go >/dev/null; then
        echo "no Go toolchain: the page is made without Go"
      elif ! benches/go/run.sh; then
        echo "Go could not be measured: the page has its earlier figures, if any"
      fi
      ;;
    # Measure only what is on the page.
    in_order | scope) bench "$1" "^$1(_values|_failure)?/" ;;
    *) bench "$1" ;;
  esac
}

case ${1:-} in
  --no-run) names=() ;;
  -*) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" && exit ;;
  ?*) names=("$@") ;;
esac

folder=${CARGO_TARGET_DIR:-target}
mkdir -p "$folder/criterion"
if [ ${#names[@]} = 14 ]; then
  rm -f "$folder/criterion/load"
  find "$folder/criterion" -name 'round*' -prune -exec rm -r {} +
fi

export ROUNDS=${ROUNDS:-3}
SECONDS=0
for name in "${names[@]}"; do
  printf '\n== %s, after %d minutes\n' "$name" $((SECONDS / 60))
  # The average over a minute, so it has the benchmark before this one in it, too.
  [ ! -r /proc/loadavg ] || cut -d ' ' -f 1 /proc/loadavg >>"$folder/criterion/load"
  measure "$name"
done
cargo run --locked --quiet -p rayon-errgroup-benches --bin page -- write
printf 'Done in %d minutes.\n' $((SECONDS / 60))
