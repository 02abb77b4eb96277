#!/usr/bin/env python3
"""Runs the claims of three papers at small scale, and says what was measured.

Usage: experiments/papers.py [--quick] [--output-dir FOLDER] [--bin FOLDER] [--only NAME,...]

ICLR 2020: Chatterjee, "Coherent Gradients". 2003.07422: Zielinski, Krishnan, Chatterjee, "Weak and Strong
Gradient Directions". 2008.01217: Chatterjee, Zielinski, "Making Coherence Out of Nothing At All". Needs MNIST and
CIFAR-10 in datasets/NAME (data/fetch.sh) or $COGRAD_DATA/NAME. FOLDER gets the runs of each experiment,
papers.md and papers.json. A second time finished runs are kept. --quick takes tiny sets of drawn digits, which
tests the script and says nothing about the papers.
"""

import argparse
import csv
import json
import os
import pathlib
import shlex
import struct
import subprocess
import sys
from statistics import fmean as mean

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Run:
    """The files of one run."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.config = json.loads((self.folder / "config.json").read_text())
        self.seed = self.config["seed"]
        self.name = "%s@%d" % (self.config["aggregator"], self.config["batch_size"])
        self.noise = self.config["corrupt_fraction"]
        summary = self.folder / "summary.json"
        self.seconds = json.loads(summary.read_text())["seconds"] if summary.exists() else 0.0

    def rows(self, file):
        with open(self.folder / file, newline="") as lines:
            return list(csv.DictReader(lines))

    def accuracy(self, kind, epoch=-1):
        return float(self.rows(kind + ".csv")[epoch]["acc1"])

    def statistic(self, kind, parameter, column):
        """Of example_coherence.csv, by epoch; 0 where all gradients are zero."""
        return [float(r[column] or 0) for r in self.rows("example_coherence.csv")
                if r["kind"] == kind and r["parameter"] == parameter]

    def dimensions(self):
        """Of each parameter, from the header of its safetensors file."""
        with open(self.folder / "weights.safetensors", "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        return {name: len(t["shape"]) for name, t in header.items() if name != "__metadata__"}

# The checks: from the runs of one seed to numbers by name, and whether the claim holds (None: there is none).

def contributions(runs):
    """Pristine examples lead early, corrupt ones at the end."""
    rows = [{k: float(v) for k, v in r.items()} for r in runs[0].rows("contributions.csv")]
    epochs = int(rows[-1]["epoch"])
    early = [r for r in rows if r["epoch"] <= max(1, min(3, epochs // 10))]
    late = [r for r in rows if r["epoch"] > epochs - max(1, epochs // 10)]
    end = early[-1]
    steps = end["integral_pristine"] + end["integral_corrupt"]
    f_early, share = mean(r["f_pristine"] for r in early), mean(r["pristine_share"] for r in early)
    f_late = mean(r["f_pristine"] for r in late)
    high = end["integral_null_high"] / steps
    numbers = {"f_p early": f_early, "share": share, "null 95 % early": high, "f_p at the end": f_late,
               "f_c at the end": 1 - f_late}
    return numbers, f_early > share and end["integral_pristine"] / steps > high and f_late < 0.5


def winsorization(runs):
    """Training accuracy does not pass the proper accuracy from c = 2 on; the gap falls with c."""
    numbers, holds, gaps = {}, True, []
    for run in sorted(runs, key=lambda r: float((r.config["aggregator"] + ":0").split(":")[1])):
        name = run.config["aggregator"]
        c = float((name + ":0").split(":")[1])
        train, test = run.accuracy("train_sample"), run.accuracy("test")
        proper = run.noise * 100 / run.config["classes"] + (1 - run.noise) * test
        numbers["c=%g: training" % c], numbers["c=%g: proper" % c] = train, proper
        gaps.append(train - proper)
        holds = holds and (c < 2 or train <= proper + 2)
    return numbers, holds and gaps[-1] < gaps[0]


def signs(runs):
    numbers = {}
    for run in runs:
        for kind in ("pristine", "corrupt", "test"):
            numbers["%s %s" % (run.config["aggregator"], kind)] = run.accuracy(kind)
    return numbers, None


def random_labels(runs):
    """m-coherence of 64 examples starts near 1, rises, and falls back; of real labels no lower a peak."""
    numbers, curves = {}, {}
    for run in runs:
        kind = "corrupt" if run.noise == 1 else "pristine"
        values = run.statistic(kind, "total", "m_coherence")
        smooth = [mean(values[i:i + 3]) for i in range(len(values) - 2)]
        curves[run.noise] = (values[0], max(smooth), smooth[-1])
        for name, value in zip(("start", "peak", "end"), curves[run.noise]):
            numbers["%s labels: %s" % ("random" if run.noise == 1 else "real", name)] = value
    start, peak, end = curves[1]
    return numbers, start <= 1.2 and peak >= 1.5 and end <= 1.3


def layers(runs):
    """alpha of convolutions beside that of linear layers, the mean over layers and epochs."""
    run, alphas = runs[0], {4: [], 2: []}
    for name, dimensions in run.dimensions().items():
        if name.endswith("weight") and dimensions in alphas:
            alphas[dimensions].append(mean(run.statistic("pristine", name, "alpha")))
    convolutions, linear = mean(alphas[4]), mean(alphas[2])
    return {"alpha of convolutions": convolutions, "alpha of linear layers": linear}, convolutions > linear


def group_sizes(runs):
    """Groups of five: m3 keeps the true labels of 3 classes, and drops many of 10."""
    numbers, kept = {}, {}
    for classes in sorted({r.config["classes"] for r in runs}):
        (sgd,) = [r for r in runs if r.config["classes"] == classes and r.config["aggregator"] == "mean"]
        (m3,) = [r for r in runs if r.config["classes"] == classes and r.config["aggregator"] == "m3"]
        kept[classes] = m3.accuracy("pristine") / max(1e-9, sgd.accuracy("pristine"))
        numbers["%d classes: true labels, m3 over mean" % classes] = kept[classes]
        numbers["%d classes: corrupt" % classes] = m3.accuracy("corrupt") / max(1e-9, sgd.accuracy("corrupt"))
    return numbers, kept[min(kept)] > kept[max(kept)] + 0.1


def medians(runs):
    """A median fits at most half of the corrupt labels that the mean of its group's size fits."""
    noisy = {r.name: r for r in runs if r.noise > 0}
    numbers = {name + " corrupt": run.accuracy("corrupt") for name, run in noisy.items()}
    numbers.update({name + " test": run.accuracy("test") for name, run in noisy.items()})
    least = min(noisy["mean@10"].accuracy("corrupt"), noisy["mean@30"].accuracy("corrupt"))
    return numbers, all(noisy[m].accuracy("corrupt") <= least / 2 for m in ("m3@30", "rm3@10"))


SMALL = {"--dataset": "glyphs", "--train-size": 300, "--test-size": 60, "--epochs": 3, "--seeds": 2}
MNIST = {"--dataset": "mnist", "--test-size": 2000, "--seeds": 3}


def experiment(name, paper, where, claim, check, program, options, runs=({},)):
    return dict(locals())


EXPERIMENTS = [
    experiment("contributions", "ICLR 2020", "contributions f_p and f_c, null worlds",
               "at 50 % noise f_p exceeds the pristine share and the null worlds early, and f_c ends above f_p",
               contributions, "label_noise",
               {**MNIST, "--train-size": 10000, "--epochs": 40, "--lr": 0.01, "--corrupt-fraction": 0.5,
                "--aggregator": "mean@100", "--contributions": None}),
    experiment("random_labels", "2008.01217", "abstract; m-coherence over training on random labels",
               "with random labels the examples' gradients start orthogonal, find common patterns, and end orthogonal",
               random_labels, "label_noise",
               {**MNIST, "--train-size": 4000, "--epochs": 50, "--lr": 0.03, "--corrupt-fraction": "0,1",
                "--aggregator": "mean@10"}),
    experiment("layers", "2008.01217", "m-coherence layer by layer",
               "convolutions are more coherent than linear layers", layers, "label_noise",
               {"--dataset": "cifar10", "--model": "vgg13_bn", "--width": 8, "--dropout": 0, "--train-size": 2000,
                "--test-size": 500, "--epochs": 10, "--lr": 0.03, "--corrupt-fraction": 0, "--aggregator": "mean@50",
                "--seeds": 3}),
    experiment("medians", "2003.07422", "M3 and RM3 against SGD on random labels",
               "at 50 % noise m3 and rm3 fit at most half of the corrupt labels that SGD fits", medians, "cgh",
               {**MNIST, "--preset": "laptop", "--epochs": 30}),
    experiment("group_sizes", "2003.07422", "the size of groups (not in the paper)",
               "groups of five drop true labels of ten classes and keep those of three", group_sizes, "label_noise",
               {**MNIST, "--train-size": 5000, "--epochs": 40, "--corrupt-fraction": 0.5,
                "--aggregator": "mean@5,m3@15"}, ({"--classes": 3}, {"--classes": 5}, {"--classes": 10})),
    experiment("signs", "ICLR 2020", "policies sum_sign and sign_sum of the code (no claim)",
               "measured only", signs, "label_noise",
               {**MNIST, "--train-size": 4000, "--epochs": 10, "--corrupt-fraction": 0.5},
               ({"--aggregator": "mean@100", "--lr": 0.1}, {"--aggregator": "signs:1@100", "--lr": 0.0003},
                {"--aggregator": "sign_sum@100", "--lr": 0.01})),
    experiment("winsorization", "ICLR 2020", "winsorized SGD, MLP 3 x 256, batch 100, 60,000 examples; there 100 "
               "epochs, here 30, and 50 % noise alone",
               "from c = 2 on the training accuracy stays within 2 points of the proper accuracy",
               winsorization, "winsorize",
               {**MNIST, "--preset": "paper", "--epochs": 30, "--seeds": 1, "--corrupt-fraction": 0.5}),
]


def options_of(e, variant, quick):
    options = {**e["options"], **variant, **(SMALL if quick else {})}
    if quick:
        if "--model" in options:
            options["--model"] = "resnet18_cifar"  # for small images
            del options["--dropout"]
        options.setdefault("--width", 32)
    return options


def folder_of_data(name):
    for parent in (ROOT / "datasets", pathlib.Path(os.environ.get("COGRAD_DATA", "/nonexistent"))):
        if (parent / name).is_dir():
            return str(parent / name)
    sys.exit("papers: error: there is no %s: run data/fetch.sh %s, or set COGRAD_DATA" % (name, name))


def commands_of(e, arguments):
    for i, variant in enumerate(e["runs"]):
        options = options_of(e, variant, arguments.quick)
        if options["--dataset"] != "glyphs":
            options["--data"] = folder_of_data(options["--dataset"])
        options["--output-dir"] = arguments.output_dir / e["name"] / str(i)
        words = [os.path.relpath(arguments.bin / e["program"])]
        for flag, value in options.items():
            words += [flag] if value is None else [flag, str(value)]
        yield words


def verdict_of(held):
    if None in held or not held:
        return "measured"
    if len(held) == 1:
        return "one seed: " + ("met" if held[0] else "not met")
    if len(set(held)) == 1:
        return "holds" if held[0] else "does not hold"
    return "holds for %d of %d seeds" % (sum(held), len(held))


def row_of(e, runs, commands=()):
    """The row of the closing table, from all runs of an experiment."""
    numbers, held = {}, []
    seeds = sorted({r.seed for r in runs})
    for seed in seeds:
        measured, holds = e["check"]([r for r in runs if r.seed == seed])
        held.append(holds)
        for name, value in measured.items():
            numbers.setdefault(name, []).append(value)
    return {"name": e["name"], "paper": e["paper"], "where": e["where"], "claim": e["claim"],
            "verdict": verdict_of(held), "seeds": seeds, "measured": numbers, "commands": list(commands),
            "seconds": round(sum(r.seconds for r in runs), 1)}


def runs_in(folder):
    return [Run(path.parent) for path in sorted(pathlib.Path(folder).glob("*/*/config.json"))
            if path.parent.suffix not in (".partial", ".failed")]


def perform(e, arguments):
    texts = []
    for words in commands_of(e, arguments):
        texts.append(shlex.join(words))
        print("papers: %s" % texts[-1], flush=True)
        log = arguments.output_dir / e["name"]
        log.mkdir(parents=True, exist_ok=True)
        with open(log / "log.txt", "a") as out:
            status = subprocess.run(words + ["--resume"], stdout=out, stderr=subprocess.STDOUT).returncode
        if status != 0:
            last = (log / "log.txt").read_text().splitlines()[-1:]
            sys.exit("papers: error: %s: %s (see %s)" % (texts[-1], *(last or ["it failed"]), log / "log.txt"))
    return row_of(e, runs_in(arguments.output_dir / e["name"]), texts)


def numbers_text(values):
    return ", ".join("%.4g" % v for v in values) + ("" if len(values) == 1 else " (mean %.4g)" % mean(values))


def page_of(rows, quick=False):
    lines = ["# The papers' claims, measured", "",
             "With --quick: sets so small that the verdicts say nothing." if quick else
             "Numbers are those of the seeds in order; accuracies in percent.", "",
             "| claim | paper | verdict | measured | seeds | seconds |", "| --- | --- | --- | --- | --- | --- |"]
    for r in rows:
        measured = "; ".join("%s %s" % (name, numbers_text(v)) for name, v in r["measured"].items())
        lines.append("| %s | %s: %s | %s | %s | %s | %.0f |" % (
            r["claim"], r["paper"], r["where"], r["verdict"], measured, ", ".join(map(str, r["seeds"])), r["seconds"]))
    lines += ["", "Commands:", ""] + ["    " + text for r in rows for text in r["commands"]]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output-dir", type=pathlib.Path)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--only", default=",".join(e["name"] for e in EXPERIMENTS))
    arguments = parser.parse_args()
    chosen = arguments.only.split(",")
    unknown = set(chosen) - {e["name"] for e in EXPERIMENTS}
    if unknown:
        parser.error("--only: unknown: %s" % ", ".join(sorted(unknown)))
    arguments.output_dir = arguments.output_dir or pathlib.Path("runs/papers_quick" if arguments.quick else "runs/papers")
    experiments = [e for e in EXPERIMENTS if e["name"] in chosen]
    for e in experiments:
        list(commands_of(e, arguments))  # missing data is found before hours of work
    rows = []
    for e in experiments:
        rows.append(perform(e, arguments))
        (arguments.output_dir / "papers.json").write_text(json.dumps(rows, indent=2) + "\n")
        (arguments.output_dir / "papers.md").write_text(page_of(rows, arguments.quick))
        print("papers: %s: %s" % (e["claim"], rows[-1]["verdict"]), flush=True)
    print(page_of(rows, arguments.quick), end="")


if __name__ == "__main__":
    main()
