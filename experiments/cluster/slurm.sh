#!/usr/bin/env bash
# A study by Slurm, on CPUs: the tasks of the allocation train each run together.
# Usage: sbatch experiments/cluster/slurm.sh STUDY OUTPUT_DIR [STUDY_OPTION...]
#SBATCH --job-name=cograd
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8
#SBATCH --cpus-per-task=4
#SBATCH --time=24:00:00
#SBATCH --requeue
set -euo pipefail

[ $# -ge 2 ] || { echo "usage: sbatch $0 STUDY OUTPUT_DIR [STUDY_OPTION...]" >&2; exit 2; }
study=$1 output=$2
shift 2
ranks=${SLURM_NTASKS:-2}
# Open MPI takes hosts and tasks from the allocation; outside of one this runs on this machine.
where=(--oversubscribe)
[ -z "${SLURM_JOB_ID-}" ] || where=(--map-by "slot:PE=${SLURM_CPUS_PER_TASK:-1}")
# What the end of the allocation cuts off goes on from its last checkpoint when the job is requeued.
exec mpirun "${where[@]}" -n "$ranks" -x OMP_WAIT_POLICY=passive "$study" \
  --ranks-per-run "$ranks" --threads "${SLURM_CPUS_PER_TASK:-1}" --output-dir "$output" --resume "$@"
