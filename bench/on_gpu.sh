#!/usr/bin/env bash
# Everything there is to know about the cuda backend on a machine with a GPU: builds it, tests it, times kernels
# and training steps, compares those with PyTorch, and tests once more under compute-sanitizer.
# Usage: bench/on_gpu.sh [OUT [STAGE...]]     (default: build/gpu/results, and all stages)
# Stages, in this order: build (always; nothing to do when it is up to date), tests, kernels, steps, pytorch,
# sanitize. A failure in one does not keep the others from running. Where a command may take 10 minutes, in three:
#   COGRAD_SECONDS=580 bench/on_gpu.sh OUT tests kernels
#   COGRAD_SECONDS=580 bench/on_gpu.sh OUT steps sanitize
#   COGRAD_SECONDS=580 bench/on_gpu.sh OUT pytorch
# OUT gets build.txt (the machine, too), tests.txt, kernels.txt, steps.txt, steps.json, pytorch.txt, sanitizer.txt
# and kernels*-DEVICE-*.txt, the algorithms that were measured to be the fastest, and those that were wrong.
# Needs a CUDA toolkit, CMake, ninja, Google Benchmark and cuDNN: CUDNN_ROOT, or that of the Python whose name is in
# PYTHON (default: python3); NCCL likewise, if at all. That Python's torch is the peer; without one the comparison is
# left out. Further settings: CMAKE_PREFIX_PATH, where to look for packages (default: .gpu/usr, if there is one);
# COGRAD_SECONDS, what all of it may take (default: 3600); COGRAD_STEPS, regular expressions of the steps to compare.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
out=${1:-build/gpu/results}
stages=${*:2}
stages=${stages:-tests kernels steps pytorch sanitize}
python=${PYTHON:-python3}
deadline=${COGRAD_SECONDS:-3600}  # SECONDS is what has passed since this script began
failed=0
for stage in $stages; do
  if [[ " build tests kernels steps pytorch sanitize " != *" $stage "* ]]; then
    echo "on_gpu: there is no stage '$stage'" >&2
    exit 2
  fi
done

# step FILE LIMIT COMMAND...: runs it for LIMIT seconds at most and appends what it writes to $out/FILE.txt
step() {
  local file=$out/$1.txt limit=$2 status=124 before
  shift 2
  [ "$limit" -lt $((deadline - SECONDS)) ] || limit=$((deadline - SECONDS))
  echo "== $*" | tee -a "$file"
  before=$(wc -l <"$file")
  if [ "$limit" -gt 0 ]; then
    timeout -k 10 "$limit" "$@" >>"$file" 2>&1
    status=$?
  fi
  tail -n +$((before + 1)) "$file" | tail -n 10
  if [ $status -ne 0 ]; then
    echo "on_gpu: failed with $status (124: not done within $limit s); see $file" | tee -a "$file" >&2
    failed=1
  fi
  return $status
}

wanted() { [[ " $stages " == *" $1 "* ]]; }

built() {
  [ -x "build/gpu/bin/$1" ] || { echo "on_gpu: $1 was not built" >&2; failed=1; return 1; }
}

no_errors() {  # Google Benchmark goes on after one, and leaves with 0
  ! grep -q "ERROR OCCURRED" "$1" || { echo "on_gpu: errors in $1" >&2; failed=1; }
}

python_package() { "$python" -c "import $1; print(list($1.__path__)[0])" 2>/dev/null; }

# --- build ---------------------------------------------------------------------------------------
mkdir -p "$out"
nvidia-smi >"$out/build.txt" 2>&1 || { echo "on_gpu: no NVIDIA device here" >&2; exit 1; }
architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
command -v nvcc >/dev/null || PATH=$PATH:/usr/local/cuda/bin
[ -n "${CUDNN_ROOT:-}" ] || CUDNN_ROOT=$(python_package nvidia.cudnn)
[ -n "${NCCL_ROOT:-}" ] || NCCL_ROOT=$(python_package nvidia.nccl)
[ -z "$CUDNN_ROOT" ] || export CUDNN_ROOT LD_LIBRARY_PATH="$CUDNN_ROOT/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
[ -z "$NCCL_ROOT" ] || export NCCL_ROOT
[ ! -d .gpu/usr ] || export CMAKE_PREFIX_PATH="${CMAKE_PREFIX_PATH:-$PWD/.gpu/usr}"
export COGRAD_CACHE=$PWD/build/gpu/cache

step build 60 nvcc --version
# Lines in the kernels' code cost nothing, and the sanitizer names them.
step build 120 cmake -S . -B build/gpu -G Ninja -DCMAKE_BUILD_TYPE=Release -DCOGRAD_WITH_CUDA=ON \
  -DCMAKE_CUDA_ARCHITECTURES="$architecture" -DCMAKE_CUDA_FLAGS=-lineinfo || exit 1
# Apart: without Google Benchmark there are no benchmarks to build, and an unknown target stops ninja.
step build 500 cmake --build build/gpu --target cograd_tests -- -k 0
step build 500 cmake --build build/gpu --target bench_cuda bench_steps -- -k 0

# --- tests: a process each, since after an illegal address nothing works any more ------------------
# Several at once disturb one another's measurements, so their choices are kept apart.
tests_cache=COGRAD_CACHE=$PWD/build/gpu/tests-cache
if wanted tests && built cograd_tests; then
  : >"$out/tests.txt"
  list=--list-test-names-only  # Catch2 3 has another option
  build/gpu/bin/cograd_tests --help | grep -q -e $list || list="--list-tests --verbosity quiet"
  # shellcheck disable=SC2086
  names=$(build/gpu/bin/cograd_tests $list '[cuda]' | sed 's/[][().*+?^$|\\]/\\&/g' | paste -sd '|')
  step tests 300 env "$tests_cache" ctest --test-dir build/gpu -R "^($names)$" --no-tests=error -j 4 --output-on-failure
fi

# --- benchmarks ----------------------------------------------------------------------------------
if wanted kernels && built bench_cuda; then
  : >"$out/kernels.txt"
  step kernels 180 build/gpu/bin/bench_cuda
  no_errors "$out/kernels.txt"
fi
if wanted steps && built bench_steps; then
  : >"$out/steps.txt"
  step steps 420 env COGRAD_DEVICE=cuda build/gpu/bin/bench_steps --benchmark_min_time=0.3 \
    --benchmark_out="$out/steps.json" --benchmark_out_format=json
  no_errors "$out/steps.txt"
fi
if wanted pytorch && built bench_steps; then
  if "$python" -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
    : >"$out/pytorch.txt"
    left=$((deadline - SECONDS))
    # What matters most comes first. The last step to begin may still need minutes, to compile.
    read -ra only <<<"${COGRAD_STEPS:-^step/(resnet18_cifar|resnet50_224)/.*/bf16/(mean|m3)$ \
      ^step(_graph)?/mlp/.*/f32/(mean|m3)$ ^step/resnet.*/f32/(mean|m3)$ ^step.*/(mean|m3)$}"
    step pytorch $left env COGRAD_TORCH_ENV=system "$python" -u bench/compare_pytorch.py --device cuda \
      --build build/gpu --rounds 3 --no-ratios --seconds $((left * 3 / 4)) --only "${only[@]}"
  else
    echo "on_gpu: $python has no torch for this device: no comparison"
  fi
fi

# --- the tests' kernels under the sanitizer; the longest tests repeat those of the others ----------
if wanted sanitize && built cograd_tests; then
  if command -v compute-sanitizer >/dev/null; then
    : >"$out/sanitizer.txt"
    # Ours alone: the libraries' are many. The option has changed its name.
    option=$(compute-sanitizer --help 2>&1 | grep -oE -e '--kernel-(name|regex)' | head -n 1)
    # Without the allocator's cache, accesses after a block's end or life and values never written are seen.
    for tool in "memcheck --report-api-errors no --destroy-on-device-error kernel" initcheck racecheck synccheck; do
      # shellcheck disable=SC2086
      step sanitizer 300 env "$tests_cache" COGRAD_MEMORY_CACHE=OFF compute-sanitizer --tool $tool \
        ${option:+$option kns=cograd} --error-exitcode 3 \
        build/gpu/bin/cograd_tests '[cuda]~"20 steps*"~"every model*"~"steps that nobody*"~"memory stays*"~"*replayed*"'
    done
  else
    echo "on_gpu: no compute-sanitizer here"
  fi
fi

cp build/gpu/cache/kernels*.txt "$out" 2>/dev/null
grep -h "differs from" build/gpu/*cache/kernels*.txt 2>/dev/null | sed 's/^#/on_gpu: wrong, and not taken:/'
echo "on_gpu: results are in $out"
exit $failed
