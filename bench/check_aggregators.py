#!/usr/bin/env python3
"""Compares the values of aggregators with ByzFL's and TorchJD's on random gradients, and says where definitions differ.

Usage: bench/check_aggregators.py [--draws 20] [--elements 1000] [--seed 1] [--only REGEX] [--update docs/performance.md]
       [--build build/release]
Needs BUILD/bin/aggregate; the environment is that of compare_aggregators.py. Every draw is K gradients of N normal
numbers with a common part and different lengths, in double; cograd's backward pass aggregates them on the reference
backend, in double, and on the cpu backend, in float32. The largest relative error over the draws, ||a - b|| / ||b||,
is reported; ends with 1 if one is above 1e-5.
"""
import argparse
import pathlib
import re
import subprocess
import sys

from peers import enter_environment, update_section

ROOT = pathlib.Path(__file__).resolve().parent.parent
PARSER = argparse.ArgumentParser(usage=__doc__)
PARSER.add_argument("--draws", type=int, default=20)
PARSER.add_argument("--elements", type=int, default=1000)
PARSER.add_argument("--seed", type=int, default=1)
PARSER.add_argument("--only", default=".", help="the rules whose names match")
PARSER.add_argument("--update", type=pathlib.Path)
PARSER.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
TOLERANCE = 1e-5

if __name__ == "__main__":
    ARGS = PARSER.parse_args()
    enter_environment("COGRAD_AGGREGATORS_ENV", "aggregators",
                      ["torch", "numpy", "byzfl", "torchjd", "qpsolvers", "quadprog"])

import byzfl  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import torchjd.aggregation as torchjd  # noqa: E402
from importlib.metadata import version  # noqa: E402
from qpsolvers import solve_qp  # noqa: E402
from torchjd._linalg._dual_cone import QuadprogProjector  # noqa: E402


def of_torch(aggregator):
    return lambda g: aggregator(torch.from_numpy(g)).numpy()


def any_order_of_pcgrad(g, ours):
    """TorchJD draws the order of the others: of many draws the one that is nearest to ours. It sums."""
    torch.manual_seed(1)
    draws = [of_torch(torchjd.PCGrad())(g) / len(g) for _ in range(200)]
    return min(draws, key=lambda value: np.linalg.norm(value - ours))


def agreement_filter(g, tau):
    mean, joined = g[0], 1
    for other in g[1:]:
        if 1 - mean @ other / (np.linalg.norm(mean) * np.linalg.norm(other)) <= tau:
            mean, joined = (mean * joined + other) / (joined + 1), joined + 1
    return mean if joined > 1 else np.zeros_like(mean)


def shortest_in_hull(g):
    """min over w >= 0, sum w = 1 of || sum_k w_k g_k ||, by quadprog."""
    k, gram = len(g), g @ g.T
    scale = np.trace(gram) / k
    w = solve_qp(gram / scale, np.zeros(k), A=np.ones((1, k)), b=np.ones(1), lb=np.zeros(k), solver="quadprog")
    return w @ g


# cograd's rule, K, the peer's name, the peer, how definitions differ
RULES = [
    ("mom:5", 5, "byzfl.Median", lambda g: byzfl.Median()(g), "for even K torch.median takes the lower middle value"),
    ("trimmed:5,1", 5, "byzfl.TrMean(1)", lambda g: byzfl.TrMean(f=1)(g), ""),
    ("trimmed:7,2", 7, "torchjd.TrimmedMean(2)", of_torch(torchjd.TrimmedMean(2)), ""),
    ("meamed:5,2", 5, "byzfl.Meamed(2)", lambda g: byzfl.Meamed(f=2)(g), "ties: here the first group's value"),
    ("krum:7,2", 7, "torchjd.Krum(2)", of_torch(torchjd.Krum(2)), "scores sum K - F - 2 distances, as in the paper"),
    ("krum_of:7,2,1,4", 7, "byzfl.Krum(2)", lambda g: byzfl.Krum(f=2)(g),
     "ByzFL sums K - F - 1 distances: `KrumOptions::neighbours`"),
    ("multikrum:7,2,3", 7, "torchjd.Krum(2, 3)", of_torch(torchjd.Krum(2, 3)), ""),
    ("krum_of:7,2,5,4", 7, "byzfl.MultiKrum(2)", lambda g: byzfl.MultiKrum(f=2)(g), "ByzFL averages K - F gradients"),
    ("geomed:5", 5, "byzfl.GeometricMedian(1e-9, 3000)", lambda g: byzfl.GeometricMedian(nu=1e-9, T=3000)(g),
     "here until weights change by 1e-9 or 100 iterations; ByzFL's default is 3 iterations with an absolute nu of 0.1"),
    ("clipping:5,20,1", 5, "byzfl.CenteredClipping(1, 20)", lambda g: byzfl.CenteredClipping(L=1, tau=20.0)(g),
     "ByzFL's next call starts from this one's result; here every step starts from 0"),
    ("clipping:5,20,3", 5, "byzfl.CenteredClipping(3, 20)", lambda g: byzfl.CenteredClipping(L=3, tau=20.0)(g), ""),
    ("mgda:3", 3, "its quadratic program by quadprog", shortest_in_hull,
     "torchjd.MGDA approximates: after 200,000 Frank-Wolfe steps it was 4e-3 away in one draw of 20"),
    ("upgrad:3", 3, "torchjd.UPGrad(reg_eps 1e-12)",
     of_torch(torchjd.UPGrad(projector=QuadprogProjector(norm_eps=0.0, reg_eps=1e-12))),
     "here exact; TorchJD's default adds 1e-4 to the normalized diagonal"),
    ("pcgrad:2", 2, "torchjd.PCGrad / 2", lambda g: of_torch(torchjd.PCGrad())(g) / 2, "here the mean, there the sum"),
    ("pcgrad:3", 3, "torchjd.PCGrad / 3, any order", any_order_of_pcgrad, "there in random order, here in cyclic"),
    ("gaf:4,0.9", 4, "definition in numpy", lambda g: agreement_filter(g, 0.9), "no package"),
]


def ours(rule, gradients, backend):
    run = subprocess.run([ARGS.build / "bin/aggregate", rule, str(len(gradients)), backend],
                         input=gradients.tobytes(), capture_output=True)
    if run.returncode != 0:
        sys.exit(f"check_aggregators: {run.stderr.decode().strip()}")
    return np.frombuffer(run.stdout)


def random_gradients(k, random):
    """A common part, with which some disagree; half of the draws conflict."""
    common = random.normal(size=ARGS.elements) * random.choice([0.0, 0.5])
    lengths = random.uniform(0.2, 2.0, size=(k, 1))
    g = (random.normal(size=(k, ARGS.elements)) + common) * lengths
    if random.random() < 0.5:
        g[-1] -= random.uniform(0.5, 1.5) * g[0]
    return np.ascontiguousarray(g)


def largest_errors(rule, k, peer):
    random = np.random.default_rng(ARGS.seed)
    errors = {"reference": 0.0, "cpu": 0.0}
    for _ in range(ARGS.draws):
        g = random_gradients(k, random)
        for backend in errors:
            value = ours(rule, g, backend)
            expected = peer(g, value) if peer is any_order_of_pcgrad else peer(g.copy())
            scale = max(np.linalg.norm(expected), 1e-30)
            errors[backend] = max(errors[backend], np.linalg.norm(value - expected) / scale)
    return errors


def main():
    if ARGS.draws < 1 or ARGS.elements < 1:
        PARSER.error("--draws and --elements: expected at least 1")
    rules = [row for row in RULES if re.search(ARGS.only, row[0])]
    if not rules:
        PARSER.error(f"--only {ARGS.only} matches none of {', '.join(row[0] for row in RULES)}")
    rows, wrong = [], []
    for rule, k, name, peer, remark in rules:
        errors = largest_errors(rule, k, peer)
        rows.append(f"| `{rule}` | {name} | {errors['reference']:.1e} | {errors['cpu']:.1e} | {remark} |")
        print(rows[-1], flush=True)
        if not max(errors.values()) <= TOLERANCE:
            wrong.append(rule)
    text = "\n".join([
        f"ByzFL {version('byzfl')}, TorchJD {version('torchjd')}; {ARGS.draws} draws of {ARGS.elements} numbers each; the "
        "largest relative error in double and in float32.", "",
        "| rule | peer | double | float32 | where definitions differ |", "| --- | --- | --- | --- | --- |", *rows])
    if ARGS.update:
        update_section(ARGS.update, "aggregator-values", lambda _: text)
    if wrong:
        sys.exit(f"check_aggregators: above {TOLERANCE}: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
