#!/usr/bin/env bash
# After Snakemake on a cluster was killed outright (kill -9, its machine died): its jobs run on and the folder stays locked.
# This cancels them, waits until they are gone, and unlocks; then run the study again.
#   profiles/slurm/recover.sh [snakemake arguments, for instance --configfile config/mine.yaml]
set -euo pipefail
cd "$(dirname "$0")/../.."
prefix=$(sed -n 's/^slurm-jobname-prefix: *\([^ ]*\).*/\1/p' profiles/slurm/config.yaml)

# Of this user and this folder alone: other studies may be in the queue under the same name.
jobs() {
  squeue --me --noheader --format '%A|%j|%Z' |
    awk -F '|' -v prefix="${prefix}_" -v folder="$PWD" 'index($2, prefix) == 1 && $3 == folder { print $1 }' | sort -u
}

jobs | xargs --no-run-if-empty scancel
for _ in $(seq 120); do
  [ -n "$(jobs)" ] || break
  sleep 1
done
[ -z "$(jobs)" ] || { echo "These jobs do not end: $(jobs | xargs). Cancel them, then run this again." >&2; exit 1; }
snakemake "$@" --unlock
