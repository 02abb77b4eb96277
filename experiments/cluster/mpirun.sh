#!/usr/bin/env bash
# A study on the cores of one machine, or of those that mpirun is told of: RANKS processes train each
# run together. Go on after an interruption by the same command.
# Usage: experiments/cluster/mpirun.sh STUDY RANKS OUTPUT_DIR [STUDY_OPTION...]
#   HOSTS=a:8,b:8  processes by host; they must share OUTPUT_DIR
set -euo pipefail

[ $# -ge 3 ] || { echo "usage: $0 STUDY RANKS OUTPUT_DIR [STUDY_OPTION...]" >&2; exit 2; }
study=$1 ranks=$2 output=$3
shift 3
where=(--oversubscribe)
[ -z "${HOSTS-}" ] || where=(--host "$HOSTS")
# Threads of a rank would all be bound to its core.
exec mpirun "${where[@]}" --bind-to none -n "$ranks" -x OMP_WAIT_POLICY=passive \
  "$study" --ranks-per-run "$ranks" --threads "${THREADS:-1}" --output-dir "$output" --resume "$@"
