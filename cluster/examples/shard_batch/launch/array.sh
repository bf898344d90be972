#!/bin/bash
# A Slurm array whose elements are the shards: sbatch array.sh SUMS REPORTS
# The element that fails cancels those after it, and lets those before it go on.
#SBATCH --array=0-9
#SBATCH --signal=B:TERM@30
set -u
last=$SLURM_ARRAY_TASK_MAX

# In the background, so that this shell can pass the signal on.
"${SHARD_BATCH:-shard_batch}" "$1" --reports "$2" ${SHARD_BATCH_OPTIONS-} & batch=$!
trap 'kill -TERM "$batch"' TERM
wait "$batch"; status=$?
# A trap ends `wait`, and the program is still to write its report.
while kill -0 "$batch" 2>/dev/null; do wait "$batch"; status=$?; done

next=$((SLURM_ARRAY_TASK_ID + 1))
if [ "$status" = 1 ] && [ "$next" -le "$last" ]; then
    scancel "${SLURM_ARRAY_JOB_ID}_[$next-$last]"
fi
exit "$status"
