#!/usr/bin/env python3
"""How a study shares the machine: alone, two at once, and beside a busy loop on every core.

    bench/compare_sharing.py --mnist FOLDER [--cifar10 FOLDER] [--old PROGRAM] [--rounds N]

FOLDERs hold the files of the data sets. Each round runs all cases after one another, so that the
state of the machine is the same for what is compared; ratios are medians over the rounds, of times
within a round. With --old, another build's label_noise runs alone beside this one's: the machine
is not shared then.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def cases(args):
    mlp = ["--dataset", "mnist", "--data", args.mnist, "--corrupt-fraction", "0.5", "--epochs", "3"]
    yield "MLP, rm3@10", mlp + ["--aggregator", "rm3@10"]
    yield "MLP, m3@30", mlp + ["--aggregator", "m3@30"]
    if args.cifar10:
        yield "ResNet-18, width 16, m3@30", [
            "--dataset", "cifar10", "--data", args.cifar10, "--model", "resnet18_cifar", "--width", "16",
            "--train-size", "2000", "--test-size", "500", "--corrupt-fraction", "0.5", "--epochs", "1",
            "--aggregator", "m3@30"]  # fmt: skip


def seconds(program, flags, copies=1):
    """The mean time of `copies` of the same study, started at once."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        running = {}
        for i in range(copies):
            command = [program, *flags, "--device", "cpu", "--output-dir", f"{folder}/{i}"]
            with open(f"{folder}/{i}.log", "w") as log:
                running[i] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        took = []
        while running:
            for i, process in list(running.items()):
                if process.poll() is None:
                    continue
                took.append(time.monotonic() - start)
                if process.returncode != 0:
                    raise RuntimeError(Path(f"{folder}/{i}.log").read_text())
                del running[i]
            time.sleep(0.005)
        return statistics.mean(took)


class BusyCores:
    """A loop without end on each core that this process may use."""

    def __enter__(self):
        self.loops = [
            subprocess.Popen(["taskset", "-c", str(core), "sh", "-c", "while :; do :; done"])
            for core in sorted(os.sched_getaffinity(0))
        ]
        time.sleep(0.3)

    def __exit__(self, *_):
        for loop in self.loops:
            loop.kill()
            loop.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--mnist", required=True)
    parser.add_argument("--cifar10")
    parser.add_argument("--program", default=str(ROOT / "build/release/bin/label_noise"))
    parser.add_argument("--old", help="label_noise of another build")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()

    print(f"{len(os.sched_getaffinity(0))} cores, medians of {args.rounds} rounds (smallest to largest).\n")
    old = " alone, over the other build |" if args.old else ""
    print(f"| study | alone, s | two at once, each | beside busy loops |{old}")
    print("| --- " * (5 if args.old else 4) + "|")
    for name, flags in cases(args):
        alone, two, busy, change = [], [], [], []
        seconds(args.program, flags)  # the files' caches
        for _ in range(args.rounds):
            before = seconds(args.old, flags) if args.old else None
            alone.append(seconds(args.program, flags))
            two.append(seconds(args.program, flags, copies=2) / alone[-1])
            with BusyCores():
                busy.append(seconds(args.program, flags) / alone[-1])
            if args.old:
                change.append(alone[-1] / before)
        row = [f"{statistics.median(alone):.2f}"]
        for ratios in filter(None, (two, busy, change)):
            row.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        print(f"| {name} | " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
