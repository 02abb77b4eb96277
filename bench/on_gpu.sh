#!/usr/bin/env bash
# Everything there is to know about the cuda backend on this machine: builds it, tests it, also under
# compute-sanitizer, runs the benchmarks and compares whole training steps with PyTorch.
# Usage: bench/on_gpu.sh [OUT]     (default: build/gpu/results)
# Needs a CUDA toolkit, CMake, ninja and cuDNN: CUDNN_ROOT, or that of the Python whose name is in PYTHON
# (default: python3). That Python's torch is the peer; without one the comparison is left out. Further
# settings: CMAKE_PREFIX_PATH, where to look for packages; COGRAD_SKIP_SANITIZER=1 saves its minutes.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-build/gpu/results}
python=${PYTHON:-python3}
mkdir -p "$out"
failed=0

step() {  # step NAME COMMAND...: runs it into $out/NAME.txt and goes on, whatever comes of it
  local name=$1
  shift
  echo "== $name"
  "$@" >"$out/$name.txt" 2>&1
  local status=$?
  tail -n 5 "$out/$name.txt"
  if [ $status -ne 0 ]; then
    echo "on_gpu: $name failed ($status); see $out/$name.txt" >&2
    failed=1
  fi
  return $status
}

if [ -z "${CUDNN_ROOT:-}" ]; then
  CUDNN_ROOT=$("$python" -c 'import nvidia.cudnn; print(list(nvidia.cudnn.__path__)[0])' 2>/dev/null) || true
fi
[ -n "$CUDNN_ROOT" ] && export CUDNN_ROOT LD_LIBRARY_PATH="$CUDNN_ROOT/lib:${LD_LIBRARY_PATH:-}"
nvidia-smi >"$out/machine.txt" 2>&1 || { echo "on_gpu: no NVIDIA device here" >&2; exit 1; }
architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)

step configure cmake -S . -B build/gpu -G Ninja -DCMAKE_BUILD_TYPE=Release -DCOGRAD_WITH_CUDA=ON \
  -DCMAKE_CUDA_ARCHITECTURES="$architecture" || exit 1
step build cmake --build build/gpu || exit 1
step tests build/gpu/bin/cograd_tests '[cuda],[cudnn]'
if [ -z "${COGRAD_SKIP_SANITIZER:-}" ] && command -v compute-sanitizer >/dev/null; then
  # The long tests repeat the same kernels.
  for tool in memcheck racecheck; do
    step "sanitizer-$tool" compute-sanitizer --tool "$tool" --error-exitcode 3 \
      build/gpu/bin/cograd_tests '[cuda]~20 steps*~every model*'
  done
fi
if [ -x build/gpu/bin/bench_steps ]; then
  step kernels build/gpu/bin/bench_cuda
  step steps env COGRAD_DEVICE=cuda build/gpu/bin/bench_steps --benchmark_min_time=0.3
  if "$python" -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
    step pytorch env COGRAD_TORCH_ENV=system "$python" bench/compare_pytorch.py --device cuda \
      --build build/gpu --rounds 3 --only "${COGRAD_STEPS:-mean|m3}"
  else
    echo "on_gpu: $python has no torch for this device: no comparison"
  fi
else
  echo "on_gpu: Google Benchmark was not found: no benchmarks"
fi
echo "on_gpu: results are in $out"
exit $failed
