#!/usr/bin/env python3
"""Times coordinate-wise aggregators beside torch, ByzFL and TorchJD, in turns, and writes the table of ratios.

Usage: bench/compare_aggregators.py [--rounds 7] [--only REGEX] [--groups 3 5 9] [--elements 100000 1000000]
       [--threads N] [--no-compile] [--update docs/performance.md] [--build build/release]
Needs BUILD/bin/bench_median. Makes a virtual environment with the newest torch, byzfl and torchjd from PyPI in
$COGRAD_AGGREGATORS_ENV (default: ~/.cache/cograd/aggregators) and runs itself in it; with
COGRAD_AGGREGATORS_ENV=system the Python that runs this has them already.

A round is one measurement of cograd (a process of bench_median, which checks its result against the definition) and of
each peer, one after the other, all on the same number of threads and K rows of N normal float32 numbers. Ratios are
taken within a round, and their median over the rounds is reported with the smallest and the largest; below 1 means
that cograd is faster. Neither side computes the norms for the coherence (plain_NAME of bench_median). Peers are called as their
documentation calls them, on a stacked tensor [K, N]; torch's are all the forms that we know of, the fastest one counts:
torch.median, torch.sort, torch.topk, and a sorting network of torch.minimum and torch.maximum, eager and by
torch.compile. Each peer's result is compared with that of the definition in double before it is timed.
"""
import argparse
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
PARSER = argparse.ArgumentParser(usage=__doc__)
PARSER.add_argument("--rounds", type=int, default=7)
PARSER.add_argument("--only", default=".", help="the rules whose names match")
PARSER.add_argument("--groups", type=int, nargs="+", default=[3, 5, 9])
PARSER.add_argument("--elements", type=int, nargs="+", default=[100_000, 1_000_000])
PARSER.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
PARSER.add_argument("--no-compile", action="store_true")
PARSER.add_argument("--update", type=pathlib.Path)
PARSER.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
SECONDS = 0.05  # of one measurement, at least

if __name__ == "__main__":
    ARGS = PARSER.parse_args()
    enter_environment("COGRAD_AGGREGATORS_ENV", "aggregators", ["torch", "numpy", "byzfl", "torchjd[quadprog_projector]"])

import byzfl  # noqa: E402
import torch  # noqa: E402
import torchjd.aggregation  # noqa: E402
from importlib.metadata import version  # noqa: E402


def comparators(k):
    """Batcher's odd-even merge sort, as engine/aggregation/order_statistics.h has it."""
    run = 1
    while run < k:
        distance = run
        while distance > 0:
            for i in range(distance % run, k - distance):
                starts = (i - distance % run) // distance % 2 == 0
                if starts and i // (2 * run) == (i + distance) // (2 * run):
                    yield i, i + distance
            distance //= 2
        run *= 2


def sorted_rows(stack):
    rows = list(stack.unbind(0))
    for low, high in comparators(len(rows)):
        rows[low], rows[high] = torch.minimum(rows[low], rows[high]), torch.maximum(rows[low], rows[high])
    return rows


def network_median(stack):
    if len(stack) == 3:  # four instead of six
        a, b, c = stack.unbind(0)
        return torch.maximum(torch.minimum(a, b), torch.minimum(torch.maximum(a, b), c))
    return sorted_rows(stack)[len(stack) // 2]


def network_trimmed(stack):
    rows = sorted_rows(stack)[1:-1]
    return sum(rows[1:], rows[0]) / len(rows)


def around_median(stack, outliers):
    k = len(stack)
    nearest = (stack - stack.median(0).values).abs().topk(k - outliers, 0, largest=False).indices
    return stack.gather(0, nearest).mean(0)


def and_mask(stack):
    return torch.where(stack.sign().sum(0).abs() >= 0.5 * len(stack), stack.mean(0), 0.0)


def peers_of(rule, k):
    """Name and function of [K, N], the definition first. K is odd."""
    f = (k - 1) // 2
    if rule == "median":
        return [("torch.sort", lambda s: s.sort(0).values[f]), ("torch.median", lambda s: s.median(0).values),
                ("torch.topk", lambda s: s.topk(f + 1, 0).values[f]), ("torch min/max", network_median),
                ("byzfl.Median", byzfl.Median())]
    if rule == "trimmed":
        return [("torch.sort", lambda s: s.sort(0).values[1:-1].mean(0)), ("torch min/max", network_trimmed),
                ("byzfl.TrMean", byzfl.TrMean(f=1)), ("torchjd.TrimmedMean", torchjd.aggregation.TrimmedMean(1))]
    if rule == "meamed":
        return [("torch.topk", lambda s: around_median(s, f)), ("byzfl.Meamed", byzfl.Meamed(f=f))]
    if rule == "and_mask":
        return [("torch", and_mask)]
    return [("torch", lambda s: s.sign().sum(0).sign())]


RULES = ["median", "trimmed", "meamed", "and_mask", "signs"]


def compiled(function):
    return torch.compile(function, dynamic=False)


def our_seconds(rule, k, n):
    run = subprocess.run([ARGS.build / "bin/bench_median", f"--groups={k}", f"--elements={n}",
                          f"--benchmark_filter=^plain_{rule}/", f"--benchmark_min_time={SECONDS}", "--benchmark_format=json"],
                         capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": str(ARGS.threads)})
    if run.returncode != 0:
        sys.exit(f"compare_aggregators: bench_median failed with {run.returncode}: {run.stderr.strip()}")
    result = json.loads(run.stdout)["benchmarks"][0]
    return result["real_time"] * 1e-6, result["bandwidth_share"]


def peer_seconds(function, stack):
    times, start = [], time.perf_counter()
    while time.perf_counter() - start < SECONDS or len(times) < 2:
        begin = time.perf_counter()
        function(stack)
        times.append(time.perf_counter() - begin)
    return statistics.fmean(times)


def spread(values):
    return f"{statistics.median(values):.2g} ({min(values):.2g} to {max(values):.2g})"


def rows_of(rule, k, n):
    """One row for the fastest form of torch's, one for each other package."""
    stack = torch.randn(k, n, generator=torch.Generator().manual_seed(1))
    peers = peers_of(rule, k)
    if not ARGS.no_compile:
        peers += [(f"{name}, compiled", compiled(call)) for name, call in peers if name in ("torch", "torch min/max")]
    expected = peers[0][1](stack.double()).float()
    for name, call in peers:
        if not torch.allclose(call(stack), expected, rtol=1e-5, atol=1e-5):
            sys.exit(f"compare_aggregators: {name} at K = {k}, N = {n} differs from the definition of {rule}")
    ours, shares, theirs = [], [], {name: [] for name, _ in peers}
    for _ in range(ARGS.rounds):
        seconds, share = our_seconds(rule, k, n)
        ours.append(seconds)
        shares.append(share)
        for name, call in peers:
            theirs[name].append(peer_seconds(call, stack))
    by_time = sorted(theirs, key=lambda name: statistics.median(theirs[name]))
    fastest = next(name for name in by_time if name.startswith("torch") and not name.startswith("torchjd"))
    shown = [fastest, *(name for name in theirs if name.startswith(("byzfl", "torchjd")))]
    if rule == "median" and fastest != "torch.median":
        shown.insert(1, "torch.median")
    return [f"| {rule}/{k}/{n} | {1e6 * statistics.median(ours):.0f} ({statistics.median(shares):.2f}) | {name} | "
            f"{1e6 * statistics.median(theirs[name]):.0f} | {spread([a / b for a, b in zip(ours, theirs[name])])} |"
            for name in shown]


def main():
    if ARGS.rounds < 2:
        PARSER.error(f"--rounds is {ARGS.rounds}: expected at least 2, for a spread")
    if any(k % 2 == 0 or not 3 <= k <= 15 for k in ARGS.groups):
        PARSER.error("--groups: expected odd numbers from 3 to 15 (torch.median takes the lower of two middle values)")
    rules = [rule for rule in RULES if re.search(ARGS.only, rule)]
    if not rules:
        PARSER.error(f"--only {ARGS.only} matches none of {', '.join(RULES)}")
    torch.set_num_threads(ARGS.threads)
    torch._dynamo.config.cache_size_limit = 64
    rows = []
    with torch.no_grad():
        for rule in rules:
            for k in ARGS.groups:
                for n in ARGS.elements:
                    found = rows_of(rule, k, n)
                    print("\n".join(found), flush=True)
                    rows += found
    text = "\n\n".join([
        f"PyTorch {torch.__version__}, ByzFL {version('byzfl')}, TorchJD {version('torchjd')}, {ARGS.threads} "
        f"thread{'s'[:ARGS.threads > 1]}; medians of {ARGS.rounds} rounds.",
        "\n".join(["| rule/K/N | cograd, us (share of the triad) | peer | its us | ratio (min to max) |",
                   "| --- | --- | --- | --- | --- |", *rows])])
    print(text)
    if ARGS.update:
        update_section(ARGS.update, "aggregators", lambda _: text)


if __name__ == "__main__":
    main()
