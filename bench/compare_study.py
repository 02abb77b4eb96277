#!/usr/bin/env python3
"""Times label_noise --preset quick beside the same study in PyTorch, in turns.

Usage: bench/compare_study.py [--rounds 3] [--seeds 3] [--epochs 40] [--build build/release]
The study in PyTorch is shared out to two processes with one thread each, as its users would do it: the same
MLP, numbers of examples, epochs, batch sizes and evaluations, on random images, whose values do not change
the time. M3 is three backward passes and torch.median over them. Ours is the whole program with --jobs auto,
with its report. Needs BUILD/bin/label_noise; finds torch as bench/compare_pytorch.py does.
"""
import argparse
import csv
import json
import multiprocessing
import pathlib
import statistics
import subprocess
import tempfile
import time

from peers import enter_environment

ROOT = pathlib.Path(__file__).resolve().parent.parent
PARSER = argparse.ArgumentParser()
PARSER.add_argument("--rounds", type=int, default=3)
PARSER.add_argument("--seeds", type=int, default=3)
PARSER.add_argument("--epochs", type=int, default=40)
PARSER.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
ARGS = PARSER.parse_args()

if __name__ == "__main__":
    enter_environment("COGRAD_TORCH_ENV", "torch", ["torch", "numpy"])

import torch  # noqa: E402


def evaluate(model, images, labels):
    with torch.no_grad():
        for begin in range(0, len(images), 500):
            torch.nn.functional.cross_entropy(model(images[begin:begin + 500]), labels[begin:begin + 500]).item()


class Rolling:
    """The last three gradients of each parameter, as RM3 and RA3 need them."""

    def __init__(self, rule):
        self.rule, self.window = rule, []

    def __call__(self, gradients):
        self.window = (self.window + [gradients])[-3:]
        stacks = [torch.stack(one) for one in zip(*self.window)]
        return [s.median(dim=0).values if self.rule == "rm3" else s.mean(dim=0) for s in stacks]


def train(run):
    """One run of {aggregator, batch_size, epochs, learning_rate, train, test, image, sizes}."""
    torch.manual_seed(1)
    inputs = run["image"]
    layers = [torch.nn.Flatten()]
    for fan_in, fan_out in zip(run["sizes"], run["sizes"][1:]):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    parameters = list(model.parameters())
    images, labels = torch.rand(run["train"], *inputs), torch.randint(10, (run["train"],))
    test_images, test_labels = torch.rand(run["test"], *inputs), torch.randint(10, (run["test"],))
    optimizer = torch.optim.SGD(parameters, lr=run["learning_rate"], momentum=run["momentum"])
    rolling = Rolling(run["aggregator"]) if run["aggregator"] in ("rm3", "ra3") else None
    for _ in range(run["epochs"]):
        order = torch.randperm(run["train"])
        for begin in range(0, run["train"] - run["batch_size"] + 1, run["batch_size"]):
            batch = order[begin:begin + run["batch_size"]]
            parts = batch.chunk(3) if run["aggregator"] == "m3" else [batch]
            gradients = []
            for part in parts:
                loss = torch.nn.functional.cross_entropy(model(images[part]), labels[part])
                gradients.append(torch.autograd.grad(loss, parameters))
            if len(parts) > 1:
                total = [torch.stack(one).median(dim=0).values for one in zip(*gradients)]
            else:
                total = rolling(gradients[0]) if rolling else gradients[0]
            for parameter, gradient in zip(parameters, total):
                parameter.grad = gradient
            optimizer.step()
        evaluate(model, images, labels)
        evaluate(model, test_images, test_labels)


def one_thread():
    torch.set_num_threads(1)


def study_in_torch(runs):
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(2, initializer=one_thread) as pool:
        pool.map(train, runs, chunksize=1)
    return time.perf_counter() - start


def study_of_ours(folder):
    start = time.perf_counter()
    subprocess.run([ARGS.build / "bin/label_noise", "--preset", "quick", "--seeds", str(ARGS.seeds),
                    "--epochs", str(ARGS.epochs), "--output-dir", folder], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def layer_sizes(folder):
    """Of the MLP, by the shapes in its weights' header."""
    with open(folder / "weights.safetensors", "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    shapes = [value["shape"] for name, value in header.items() if name != "__metadata__" and len(value["shape"]) == 2]
    sizes = {fan_in: fan_out for fan_out, fan_in in shapes if fan_in != fan_out}
    start = next(fan_in for fan_in in sizes if fan_in not in sizes.values())
    squares = {fan_in: sum(1 for shape in shapes if shape == [fan_in, fan_in]) for fan_in in sizes.values()}
    chain = [start]
    while chain[-1] in sizes:
        following = sizes[chain[-1]]
        chain += [following] * (1 + squares.get(following, 0))
    return chain


def runs_in(folder):
    """The settings of the runs that our study has left."""
    runs = []
    for config in sorted(pathlib.Path(folder).glob("*/config.json")):
        settings = json.loads(config.read_text())
        image = [int(n) for n in settings["image"].strip("[]()").replace("x", ",").split(",")]
        with open(config.parent / "test.csv", newline="") as file:
            test = int(list(csv.DictReader(file))[0]["count"])
        runs.append({**{key: settings[key] for key in ("aggregator", "batch_size", "epochs", "learning_rate",
                                                       "momentum")},
                     "train": settings["data"]["train"]["used_examples"], "test": test, "image": image,
                     "sizes": layer_sizes(config.parent)})
    return runs


def main():
    ratios = []
    for number in range(ARGS.rounds):
        with tempfile.TemporaryDirectory() as folder:
            ours = study_of_ours(folder)
            runs = runs_in(folder)
        theirs = study_in_torch(runs)
        ratios.append(ours / theirs)
        print(f"round {number + 1}: {len(runs)} runs, ours {ours:.1f} s, PyTorch {theirs:.1f} s, "
              f"ratio {ratios[-1]:.2f}", flush=True)
    print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
