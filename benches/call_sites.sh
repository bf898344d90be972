#!/usr/bin/env bash
# Measures what a call costs to compile, and how much code it is, next to the call of rayon that one
# would write otherwise.
#
#   benches/call_sites.sh                 everything: about 15 minutes on two cores
#   benches/call_sites.sh FORM...         only these forms: see `forms` below
#   ROUNDS=1 benches/call_sites.sh ...    one measurement of the time in place of three
#
# A program with few sites is subtracted from one with many, so what is linked once does not count,
# and what is left is the cost of a site. Each site is a function of its own with a closure of its
# own. The time is the processor time of the compiler, the least of the rounds; sizes are those of
# text, constants and unwinding tables together.
#
# The last column is for a small program with one call: how much larger it is, in all, than the same
# program without one, with fat LTO and without symbols.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
work=${CALL_SITES_DIR:-$(realpath -m "${CARGO_TARGET_DIR:-target}")/call_sites}
rounds=${ROUNDS:-3} few=12 many=60
export CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never
unset CARGO_TARGET_DIR

# The form, what it is compared with, and the call: ITEM is the item's closure without values, VALUE
# the one with values.
forms() {
  cat <<'FORMS'
rayon/try_for_each | - | items.par_iter().try_for_each(|item| ITEM)
err_group | rayon/try_for_each | items.par_iter().err_group(|item| ITEM)
try_for_each_group | rayon/try_for_each | items.par_iter().try_for_each_group(|_, item| ITEM)
with_group | rayon/try_for_each | items.par_iter().with_group(&ErrGroup::new()).err_group(|item| ITEM).map_err(flatten)
in_order | rayon/try_for_each | items.par_iter().in_order().err_group(|item| ITEM)
rayon/par_bridge | - | items.iter().par_bridge().try_for_each(|item| ITEM)
par_in_order | rayon/par_bridge | items.iter().par_in_order().err_group(|item| ITEM)
rayon/collect | - | items.par_iter().map(|item| VALUE).collect::<Result<Vec<u64>, String>>().map(used)
try_map_group | rayon/collect | items.par_iter().try_map_group(|_, item| VALUE).map(used)
in_order_try_map | rayon/collect | items.par_iter().in_order().try_map(|_, item| VALUE).map(used)
rayon/sum | - | items.par_iter().map(|item| VALUE).sum::<Result<u64, String>>().map(used)
try_process_group | rayon/sum | items.par_iter().try_process_group(|_, item| VALUE, |values| values.sum::<u64>()).map(used)
in_order_try_process | rayon/sum | items.par_iter().in_order().try_process(|_, item| VALUE, |values| values.sum::<u64>()).map(used)
rayon/scope | - | { rayon::scope(|s| for item in items { s.spawn(move |_| { _ = (|| -> Result<(), String> { ITEM })(); }) }); Ok(()) }
scope | rayon/scope | rayon_errgroup::scope(|s| for item in items { s.spawn(move |_| ITEM) })
rayon/join | - | { let (a, b) = rayon::join(|| -> Result<u64, String> { let item = &items[0]; VALUE }, || -> Result<u64, String> { let item = &items[1]; VALUE }); a.and_then(|a| Ok(used((a, b?)))) }
join | rayon/join | rayon_errgroup::join(|_| { let item = &items[0]; VALUE }, |_| { let item = &items[1]; VALUE }).map(used)
FORMS
}

# A program with so many sites of a call.
program() {
  local call=$1 sites=$2 site body
  cat <<'RUST'
#![allow(unused_imports, clippy::all)]
use rayon::prelude::*;
use rayon_errgroup::{ErrGroup, GroupError, prelude::*};
use std::hint::black_box;

fn used<T>(values: T) {
    black_box(&values);
}

fn flatten(error: GroupError<String>) -> String {
    error.into_error().unwrap_or_default()
}

fn check(item: u64, site: u64) -> Result<u64, String> {
    if item == site { Err(format!("{item} is the number of the site")) } else { Ok(item) }
}

type Site = fn(&[u64]) -> Result<(), String>;

RUST
  for ((site = 0; site < sites; site++)); do
    body=${call//ITEM/"{ used(check(*item, $site)? ^ $site); Ok(()) }"}
    body=${body//VALUE/"check(item.rotate_left($site % 64), $site)"}
    printf '#[inline(never)]\nfn site_%d(items: &[u64]) -> Result<(), String> {\n    %s\n}\n\n' "$site" "$body"
  done
  printf 'static SITES: &[Site] = &['
  for ((site = 0; site < sites; site++)); do printf 'site_%d, ' "$site"; done
  cat <<'RUST'
];

fn main() {
    let items: Vec<u64> = (1 << 40..).take(100).collect();
    for site in black_box(SITES) {
        site(&items).unwrap();
    }
}
RUST
}

package() {
  mkdir -p "$work/src"
  cp "$root/Cargo.lock" "$work/Cargo.lock"
  cat >"$work/Cargo.toml" <<TOML
[package]
name = "sites"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
rayon = "1.10"
rayon-errgroup = { path = "$root" }

[profile.small]
inherits = "release"
lto = "fat"
codegen-units = 1
strip = true
TOML
}

# Compiles the program, and prints the processor time in seconds.
compile() {
  touch "$work/src/main.rs"
  local TIMEFORMAT='%U %S' times
  times=$({ time cargo rustc --quiet --manifest-path "$work/Cargo.toml" --profile "$1" 2>"$work/errors" 1>&2; } 2>&1) \
    || { cat "$work/errors" >&2; exit 1; }
  awk '{ print $1 + $2 }' <<<"$times"
}

# The least time of the rounds for a call with so many sites, and the size of the program.
measure() {
  local profile=$1 call=$2 sites=$3 least="" time folder=$1 round
  [ "$profile" != dev ] || folder=debug
  program "$call" "$sites" >"$work/src/main.rs"
  for ((round = 0; round < rounds; round++)); do
    time=$(compile "$profile")
    least=$(awk -v a="$time" -v b="${least:-$time}" 'BEGIN { print a < b ? a : b }')
  done
  echo "$least $(size "$work/target/$folder/sites" | awk 'NR == 2 { print $1 }')"
}

small() {
  program "$1" 1 >"$work/src/main.rs"
  compile small >/dev/null
  stat -c %s "$work/target/small/sites"
}

package
program "Ok(())" 1 >"$work/src/main.rs"
for profile in dev release small; do compile "$profile" >/dev/null; done

selected=("$@")
wanted() {
  [ ${#selected[@]} = 0 ] && return
  local form
  for form in "${selected[@]}"; do [ "$form" != "$1" ] || return 0; done
  return 1
}
# What a selected form is compared with is measured, too.
while IFS='|' read -r form base _; do
  form=${form// /} base=${base// /}
  if [ ${#selected[@]} != 0 ] && wanted "$form" && [ "$base" != - ]; then selected+=("$base"); fi
done < <(forms)

declare -A results
results_file=$work/results.tsv
: >"$results_file"
printf '%-22s %21s %21s %21s %21s\n' "" "release, ms a site" "debug, ms a site" "kB a site" "one call, kB"
while IFS='|' read -r form base call; do
  form=${form// /} base=${base// /} call=${call# }
  wanted "$form" || continue
  line=""
  for profile in release dev; do
    read -r time_few size_few < <(measure "$profile" "$call" "$few")
    read -r time_many size_many < <(measure "$profile" "$call" "$many")
    line+=$(awk -v t="$time_few" -v u="$time_many" -v n=$((many - few)) 'BEGIN { printf "%.1f ", (u - t) * 1000 / n }')
    [ "$profile" = dev ] || size=$(awk -v s="$size_few" -v t="$size_many" -v n=$((many - few)) 'BEGIN { printf "%.2f", (t - s) / 1000 / n }')
  done
  line+="$size $(awk -v s="$(small "$call")" 'BEGIN { printf "%.1f", s / 1000 }')"
  results[$form]=$line
  printf '%s\t%s\t%s\n' "$form" "$base" "${line// /$'\t'}" >>"$results_file"
  awk -v form="$form" -v line="$line" -v base="${results[$base]:-}" '
    BEGIN {
      n = split(line, new); split(base, old)
      printf "%-22s", form
      for (i = 1; i <= n; i++) {
        against = ""
        if (base != "") against = i < n ? sprintf("(%.2f)", new[i] / old[i]) : sprintf("(+%.1f)", new[i] - old[i])
        printf " %12s %8s", new[i], against
      }
      print ""
    }'
done < <(forms)
