#!/usr/bin/env python3
"""Trains the same networks in float32 and with bf16 activations, by direct and by Winograd's convolutions, and prints
where they end: test accuracy and loss, the mean over some seeds and from the smallest to the largest.

Usage: bench/compare_arithmetic.py [--seeds 3] DATA...      DATA: mnist, cifar10 below $COGRAD_DATA, or glyphs
Needs build/release/bin/label_noise.
"""
import argparse
import csv
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

STUDY = pathlib.Path(__file__).resolve().parent.parent / "build/release/bin/label_noise"
VARIANTS = {"float32, direct": ("f32", {"COGRAD_WINOGRAD": "OFF"}), "float32, Winograd": ("f32", {}),
            "bf16 activations, direct": ("bf16", {"COGRAD_WINOGRAD": "OFF"}),
            "bf16 activations, Winograd": ("bf16", {})}


def train(data, seed, precision, environment, folder):
    """The last row of test.csv, and the seconds it took."""
    command = [STUDY, "--dataset", data, "--model", "resnet18_cifar", "--width", "8", "--train-size", "6000",
               "--test-size", "3000", "--aggregator", "m3@48", "--corrupt-fraction", "0", "--epochs", "4", "--lr", "0.1",
               "--schedule", "cosine", "--seed", str(seed), "--precision", precision, "--output-dir", folder]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"compare_arithmetic: {done.stderr.strip()}")
    (test,) = pathlib.Path(folder).glob("*/test.csv")
    with open(test, newline="") as rows:
        return list(csv.DictReader(rows))[-1]


def spread(values):
    return f"{statistics.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("data", nargs="+")
    args = parser.parse_args()
    print("| data | arithmetic | test accuracy, % | test loss |\n| --- | --- | --- | --- |", flush=True)
    for data in args.data:
        for name, (precision, environment) in VARIANTS.items():
            rows = []
            for seed in range(1, args.seeds + 1):
                with tempfile.TemporaryDirectory() as folder:
                    rows.append(train(data, seed, precision, environment, folder + "/run"))
            print(f"| {data} | {name} | {spread([float(r['acc1']) for r in rows])} | "
                  f"{spread([float(r['loss']) for r in rows])} |", flush=True)


if __name__ == "__main__":
    main()
