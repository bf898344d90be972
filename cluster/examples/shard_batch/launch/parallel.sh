#!/bin/bash
# Shards under GNU parallel, here and on other hosts: parallel.sh SUMS REPORTS SHARDS [HOST...]
# The first failure in time stops the others, which may leave the verdict undecided: it names the
# items to run again.
set -u
sums=$1 reports=$2 shards=$3
shift 3
hosts=()
for host; do hosts+=(-S "$host"); done
# On another host a relative path starts in the home folder, if nothing else is said.
[ ${#hosts[@]} = 0 ] || hosts+=(--wd "$PWD")

# A dead host is noticed by ssh, and not by parallel.
export PARALLEL_SSH='ssh -o ConnectTimeout=5 -o ServerAliveInterval=2 -o ServerAliveCountMax=2'
# `--termseq` gives a shard the time to write its report. `{#}` is the number of the job, from 1.
# `-q` is for paths with spaces.
parallel -q --halt now,fail=1 --termseq TERM,10000,KILL,25 "${hosts[@]}" \
    env SHARD='{#}/'"$shards" "${SHARD_BATCH:-shard_batch}" "$sums" --reports "$reports" \
    ${SHARD_BATCH_OPTIONS-} ::: $(seq "$shards")
"${SHARD_BATCH:-shard_batch}" "$sums" --reports "$reports" --merge
