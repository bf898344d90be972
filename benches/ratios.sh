#!/usr/bin/env bash
# Prints the medians of the last `cargo bench`, and their ratios to a contender of the same run.
# Usage: benches/ratios.sh OPERATION CONTENDER [CONTENDER...]    Needs jq.
set -eu
cd "$(dirname "$0")/.."
operation=${1:?an operation, as in overhead} && shift
: "${1:?a contender, as in rayon_try_for_each}"
dir=${CARGO_TARGET_DIR:-target}/criterion/$operation
median() { jq .median.point_estimate "$dir/$1/$2/new/estimates.json"; }
for base in "$@"; do
  for parameter in $(ls "$dir/$base" | grep -v report); do
    for contender in $(ls "$dir" | grep -v report); do
      [ -d "$dir/$contender/$parameter" ] || continue
      jq -nr --arg row "$operation/$contender/$parameter" --arg base "$base" \
        --argjson a "$(median "$contender" "$parameter")" \
        --argjson b "$(median "$base" "$parameter")" \
        '"\($row)\t\($a / 1000 * 100 | round / 100) µs\t\($a / $b * 1000 | round / 1000) of \($base)"'
    done
  done
done | column -t -s "$(printf '\t')"
