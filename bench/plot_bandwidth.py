#!/usr/bin/env python3
"""Draws the share of the triad's bandwidth over N, a curve for each K, from bench_median's JSON.

Usage: build/release/bin/bench_median --benchmark_filter='^median/' --benchmark_format=json > median.json
       bench/plot_bandwidth.py median.json... > docs/bandwidth.svg
       bench/plot_bandwidth.py --name meamed ... for the curves of another benchmark NAME/K/N
Of several files or repetitions the medians are drawn. Needs gnuplot.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys

PARSER = argparse.ArgumentParser(usage=__doc__)
PARSER.add_argument("results", type=pathlib.Path, nargs="+")
PARSER.add_argument("--name", default="median")
# Dark to light, so that the order of K is seen without colours too; the last two need their markers.
COLOURS = ["#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0c52a", "#e0a11b"]
MARKERS = [7, 5, 9, 13, 11, 6, 4, 8]


def curves(runs, name):
    """K -> {N: median share}."""
    shares = {}
    for run in runs:
        found = re.match(rf"{re.escape(name)}/(\d+)/(\d+)/real_time", run["name"])
        if found and run["run_type"] == "iteration" and "bandwidth_share" in run:
            k, n = map(int, found.groups())
            shares.setdefault(k, {}).setdefault(n, []).append(run["bandwidth_share"])
    return {k: {n: statistics.median(values) for n, values in sorted(of_n.items())}
            for k, of_n in sorted(shares.items())}


def read(path):
    try:
        return json.loads(path.read_text())["benchmarks"]
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"plot_bandwidth: {path}: {error}: expected what bench_median --benchmark_format=json prints")


def script(of_k, name):
    elements = [n for of_n in of_k.values() for n in of_n]
    lines = [f"set xrange [{min(elements) / 1.5}:{max(elements) * 1.5}]",
             "set terminal svg size 760,420 font 'sans-serif,15' background '#ffffff'",
             "set logscale x", "set format x '10^{%L}'", "set yrange [0:*]", "set border 3", "set tics nomirror",
             "set grid ytics lc rgb '#e0e0e0'", "set key outside right center reverse Left samplen 2",
             "set xlabel 'N, elements of a row'", "set ylabel 'share of the bandwidth of the triad'",
             f"set title '{name} of K rows'", "set arrow from graph 0,first 1 to graph 1,first 1 nohead lc rgb '#888888' dt 2"]
    for i, (k, of_n) in enumerate(of_k.items()):
        lines += [f"$k{k} << EOD", *(f"{n} {share:.4f}" for n, share in of_n.items()), "EOD"]
    plots = [f"$k{k} using 1:2 with linespoints lw 2 pt {MARKERS[i % 8]} ps 0.8 lc rgb '{COLOURS[i % 8]}' title 'K = {k}'"
             for i, k in enumerate(of_k)]
    return "\n".join(lines) + "\nplot " + ", ".join(plots) + "\n"


def main():
    args = PARSER.parse_args()
    of_k = curves([run for path in args.results for run in read(path)], args.name)
    if not of_k:
        sys.exit(f"plot_bandwidth: {args.results[0]} has no {args.name}/K/N: see bench_median --help for the names")
    try:
        drawn = subprocess.run(["gnuplot", "-d"], input=script(of_k, args.name), text=True, capture_output=True)
    except FileNotFoundError:
        sys.exit("plot_bandwidth: gnuplot is missing: install gnuplot-nox")
    if drawn.returncode != 0:
        sys.exit(f"plot_bandwidth: gnuplot failed: {drawn.stderr.strip()}")
    sys.stdout.write(drawn.stdout)


if __name__ == "__main__":
    main()
