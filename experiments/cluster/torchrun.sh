#!/usr/bin/env bash
# A study on GPUs, by torchrun on every machine: a process for each GPU, which train each run together.
# Start it on all machines with the same MASTER_ADDR, an address of the first one.
# Usage: MASTER_ADDR=ADDRESS COGRAD_SECRET=WORD experiments/cluster/torchrun.sh \
#          MACHINES MACHINE GPUS STUDY OUTPUT_DIR [STUDY_OPTION...]
set -euo pipefail

[ $# -ge 5 ] || { echo "usage: $0 MACHINES MACHINE GPUS STUDY OUTPUT_DIR [STUDY_OPTION...]" >&2; exit 2; }
machines=$1 machine=$2 gpus=$3 study=$4 output=$5
shift 5
: "${MASTER_ADDR:?names an address of the first machine}"
exec "${TORCHRUN:-torchrun}" --nnodes "$machines" --node-rank "$machine" --nproc-per-node "$gpus" \
  --master-addr "$MASTER_ADDR" --master-port "${MASTER_PORT:-29500}" --no-python \
  "$study" --device cuda --ranks-per-run $((machines * gpus)) --output-dir "$output" --resume "$@"
