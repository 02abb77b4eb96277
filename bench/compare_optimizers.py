#!/usr/bin/env python3
"""Times Adam's update beside torch.optim.Adam, fused and foreach, in turns, on one and two threads.

Usage: bench/compare_optimizers.py [--rounds 7] [--build build/release]
Needs BUILD/bin/bench_ops, and PyTorch in the Python that runs this. Prints medians over the rounds in milliseconds,
and the share of a triad's bandwidth that cograd's update reaches: p, m and v read and written, g read.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent


def resnet18_shapes():
    shapes = [(64, 3, 3, 3), (64,), (64,), (10, 512), (10,)]
    before = 64
    for out in (64, 128, 256, 512):
        for shape in [(out, before, 3, 3), *[(out, out, 3, 3)] * 3, (out, before, 1, 1)]:
            if shape[2] == 1 and before == out:
                continue
            shapes += [shape, (out,), (out,)]
        before = out
    return shapes


SIZES = {"n262144": [(262144,)], "n16777216": [(16777216,)], "resnet18": resnet18_shapes()}


def ours(build, size, threads):
    run = subprocess.run([build / "bin/bench_ops", f"--benchmark_filter=^adam_update/.*/{size}/", "--benchmark_format=json"],
                         env=os.environ | {"OMP_NUM_THREADS": str(threads)}, check=True, capture_output=True, text=True)
    result = json.loads(run.stdout)["benchmarks"][0]
    return result["real_time"] * 1e-3, result["bandwidth_share"]


def torch_optimizer(size, **options):
    parameters = [torch.nn.Parameter(torch.randn(shape)) for shape in SIZES[size]]
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape)
    return torch.optim.Adam(parameters, weight_decay=1e-4, **options)


def milliseconds(optimizer, seconds=0.5):
    optimizer.step()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        optimizer.step()
        count += 1
    return 1e3 * (time.perf_counter() - start) / count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    args = parser.parse_args()
    print(f"torch {torch.__version__}\n| size | threads | cograd, ms | of the triad | fused, ms | foreach, ms |")
    print("| --- | --- | --- | --- | --- | --- |")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for size in SIZES:
            fused, foreach = torch_optimizer(size, fused=True), torch_optimizer(size, foreach=True)
            rounds = [(*ours(args.build, size, threads), milliseconds(fused), milliseconds(foreach))
                      for _ in range(args.rounds)]
            us, share, one, many = (statistics.median(values) for values in zip(*rounds))
            print(f"| {size} | {threads} | {us:.3f} | {share:.2f} | {one:.3f} | {many:.3f} |", flush=True)


if __name__ == "__main__":
    main()
