#!/usr/bin/env python3
"""Times whole training steps beside PyTorch, in turns, and writes the table of ratios.

Usage: bench/compare_pytorch.py [--rounds 5] [--only REGEX...] [--seconds N] [--update docs/performance.md]
       [--no-compile] [--ours-only] [--no-ratios] [--device cuda] [--build build/release]
Steps are taken in the order of the expressions that find them; after N seconds no further one begins.
--update replaces the rows of the steps that were measured and keeps the others. A step that fails is a row
that says why; the others go on, and the exit status is 1.
Needs BUILD/bin/bench_steps and bench_ops. Makes a virtual environment with the newest torch from PyPI in
$COGRAD_TORCH_ENV (default: ~/.cache/cograd/torch) and runs itself in it; with COGRAD_TORCH_ENV=system the
Python that runs this has torch already.

A round is one measurement of each variant, one after the other; ratios are taken within a round, and
their median over the rounds is reported with the smallest and the largest. The peer of a step is the
fastest PyTorch variant of the same precision: eager or compiled, in the default or the channels-last layout (on a
GPU, images in the latter alone); a step of ours that is replayed as one CUDA graph (step_graph) also has the
same of PyTorch beside it.
M3 is done in the ways that PyTorch's users have: a backward pass over each third and the median
(passes), three sub-steps of an optimizer that remembers gradients, as the authors of the paper do it
(substeps), and per-group gradients by torch.func.vmap (vmap; not with batch norm, whose statistics it
would not keep apart from the running ones; thirds of unequal size are filled up with rows of weight zero).

GFLOP/s are those of cograd: convolutions and products by the textbook's count, as PyTorch counts them; the
peak is that of float32 multiply-adds in registers on all threads, the largest measured beside the steps (bench_ops).
"""
import argparse
import gc
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

from peers import enter_environment, update_section

ROOT = pathlib.Path(__file__).resolve().parent.parent
PARSER = argparse.ArgumentParser()
PARSER.add_argument("--rounds", type=int, default=5)
PARSER.add_argument("--only", nargs="+", default=["."])
PARSER.add_argument("--seconds", type=float, default=float("inf"))
PARSER.add_argument("--update", type=pathlib.Path)
PARSER.add_argument("--no-compile", action="store_true")
PARSER.add_argument("--ours-only", action="store_true", help="only the rules against the mean, without PyTorch")
PARSER.add_argument("--no-ratios", action="store_true", help="without the rules against the mean")
PARSER.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
PARSER.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
ARGS = PARSER.parse_args()
if ARGS.rounds < 2:
    PARSER.error(f"--rounds is {ARGS.rounds}: expected at least 2, for a spread")
os.environ["COGRAD_DEVICE"] = ARGS.device

if __name__ == "__main__":
    enter_environment("COGRAD_TORCH_ENV", "torch", ["torch", "numpy"])

import torch  # noqa: E402
import torch._dynamo  # noqa: E402

from pytorch_steps import ON_GPU, step_flops, variants_of  # noqa: E402


def benchmarks(program, *arguments):
    """What Google Benchmark measured."""
    run = subprocess.run([ARGS.build / "bin" / program, *arguments, "--benchmark_format=json"], capture_output=True,
                         text=True, timeout=300 if ON_GPU else None)
    if run.returncode != 0:
        said = run.stderr.strip().split("\n")[-1]
        raise RuntimeError(f"{program} failed with {run.returncode}: {said}")
    results = json.loads(run.stdout)["benchmarks"]
    for result in results:
        if result.get("error_occurred"):
            raise RuntimeError(f"{result['name']}: {result['error_message']}")
    return results


def our_seconds(step):
    if ON_GPU:  # what PyTorch keeps for later may be what we need
        gc.collect()
        torch.cuda.empty_cache()
    result = benchmarks("bench_steps", f"--benchmark_filter=^{step}/real_time$")[0]
    return result["real_time"] * 1e-3, result["peak_bytes"]


PEAKS = []


def peak_flops():
    """Of this CPU on all threads, the largest so far: a neighbour may take a core away. Of a GPU it is not measured."""
    if ON_GPU:
        return None
    runs = benchmarks("bench_ops", "--benchmark_filter=^peak/", "--benchmark_repetitions=5")
    PEAKS.extend(run["flops"] for run in runs if run["run_type"] == "iteration")
    return max(PEAKS)


def where():
    return torch.cuda.get_device_name() if ON_GPU else f"{torch.get_num_threads()} threads"


def milliseconds(seconds):
    return f"{1e3 * seconds:.{1 if seconds >= 1e-3 else 3}f}"


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def measure(step, rounds, compile_too):
    torch._dynamo.reset()  # what it learned of other models, it would generalize
    gc.collect()
    if ON_GPU:
        our_seconds(step)  # what fails does so before PyTorch compiles for minutes
    variants = variants_of(step, compile_too)
    ours, theirs = [], [[] for _ in variants]
    for _ in range(rounds):
        seconds, peak = our_seconds(step)
        ours.append(seconds)
        for variant, times in zip(variants, theirs):
            times.append(variant.seconds())
    best = min(range(len(variants)), key=lambda i: statistics.median(theirs[i]))
    ratio = spread([a / b for a, b in zip(ours, theirs[best])])
    flops, limit = step_flops(*step.split("/")[1:3]) / statistics.median(ours), peak_flops()
    speed = f"{flops * 1e-9:.0f}" + (f" ({flops / limit:.2f})" if limit else "")
    return [f"| {step} | {milliseconds(statistics.median(ours))} | {milliseconds(statistics.median(theirs[best]))} | "
            f"{variants[best].name} | {ratio} | {speed} | {peak / 2**20:.0f} |"]


def aggregator_ratios(stem, rounds):
    """Each rule over the mean in cograd itself: repetitions in random order within one process. The ratio of the
    medians, and between which values the quartiles would have it."""
    times, peaks = {}, {}
    for run in benchmarks("bench_steps", f"--benchmark_filter=^{stem}/", f"--benchmark_repetitions={rounds}",
                          "--benchmark_enable_random_interleaving=true"):
        if run["run_type"] == "iteration":
            rule = run["name"].removesuffix("/real_time").rsplit("/", 1)[1]
            times.setdefault(rule, []).append(run["real_time"])
            peaks[rule] = run["peak_bytes"]
    rows = []
    for rule in times:
        if rule != "mean":
            ratio = statistics.median(times[rule]) / statistics.median(times["mean"])
            quartiles = [statistics.quantiles(times[r], n=4) for r in (rule, "mean")]
            low, high = quartiles[0][0] / quartiles[1][2], quartiles[0][2] / quartiles[1][0]
            rows.append(f"| {stem}/{rule} | {ratio:.2f} ({low:.2f} to {high:.2f}) | "
                        f"{peaks[rule] / peaks['mean']:.2f} |")
    return rows


def merged(old, new):
    """`new` with the rows of `old` that it lacks, table by table; a row is known by its first cell."""
    def rows(block):
        return {line.split("|")[1]: line for line in block.split("\n") if re.match(r"\| step(_graph)?/", line)}

    blocks = new.split("\n\n")
    for i, before in enumerate(old.split("\n\n")):
        if rows(before):
            heading = blocks[i].split("\n")[:2]
            blocks[i] = "\n".join(heading + sorted((rows(before) | rows(blocks[i])).values()))
    return "\n\n".join(blocks)


def main():
    args = ARGS
    start = time.monotonic()
    listed = subprocess.run([args.build / "bin/bench_steps", "--benchmark_list_tests"], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    names = [n.removesuffix("/real_time") for n in listed.split()]
    steps = list(dict.fromkeys(n for only in args.only for n in names if re.search(only, n)))
    failed = []

    def rows_of(names, measure_one):
        rows = []
        for name in names:
            if time.monotonic() - start > args.seconds:
                print(f"  {name}: left out, {args.seconds:.0f} s are over", file=sys.stderr)
                continue
            try:
                found = measure_one(name)
                print("\n".join(found), flush=True)
                rows += found
            except Exception as error:  # the others may work
                failed.append(name)
                reason = " ".join(str(error).replace("|", "/").split())[:200]
                print(f"| {name} | - | - | {reason} | - | - | - |", flush=True)
        return rows

    rows = [] if args.ours_only else rows_of(steps, lambda step: measure(step, args.rounds, not args.no_compile))
    stems = dict.fromkeys(step.rsplit("/", 1)[0] for step in steps)
    ratios = [] if args.no_ratios else rows_of(stems, lambda stem: aggregator_ratios(stem, args.rounds))
    text = "\n\n".join([
        f"PyTorch {torch.__version__}, {where()}; median of {args.rounds} rounds.",
        "\n".join(["| step | cograd, ms | PyTorch, ms | its fastest variant | ratio (min to max) | "
                   "GFLOP/s (share of the peak) | peak MiB |",
                   "| --- | --- | --- | --- | --- | --- | --- |", *rows]),
        "\n".join(["| step and rule | time over that of `mean` (by the quartiles) | peak memory over that of `mean` |",
                   "| --- | --- | --- |", *ratios])])
    print(text)
    if args.update:
        update_section(args.update, "steps", lambda old: merged(old, text))
    if failed:
        sys.exit(f"compare_pytorch: failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
