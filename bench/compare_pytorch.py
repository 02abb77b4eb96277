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
import functools
import gc
import itertools
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

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
ON_GPU = ARGS.device == "cuda"
os.environ["COGRAD_DEVICE"] = ARGS.device


def enter_environment():
    env = pathlib.Path(os.environ.get("COGRAD_TORCH_ENV", pathlib.Path.home() / ".cache/cograd/torch"))
    python = env / "bin/python"
    if str(env) == "system":
        return
    if pathlib.Path(sys.prefix).resolve() == env.resolve():
        return
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", env], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "torch", "numpy"], check=True)
    os.execv(python, [str(python), *sys.argv])


if __name__ == "__main__":
    enter_environment()

import torch  # noqa: E402
import torch._dynamo  # noqa: E402
import torch.nn as nn  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch.nn.utils.rnn import pad_sequence  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402


torch.backends.cuda.matmul.allow_tf32 = True  # on CUDA, as cograd by default
torch.backends.cudnn.benchmark = True
# Thirds of two sizes are two versions of a model; beyond the limit it would silently run uncompiled.
for limit in ("recompile_limit", "cache_size_limit"):  # its newer and its older name
    if hasattr(torch._dynamo.config, limit):
        setattr(torch._dynamo.config, limit, 64)


# --- the models, as cograd has them ---------------------------------------------------------------
class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.short = nn.Identity()
        if stride != 1 or i != o:
            self.short = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(y)) + self.short(x), inplace=True)


def resnet18(cifar_stem):
    stem = [nn.Conv2d(3, 64, 3, 1, 1, bias=False) if cifar_stem else nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    if not cifar_stem:
        stem.append(nn.MaxPool2d(3, 2, 1))
    blocks, i = [], 64
    for stage in range(4):
        for b in range(2):
            o = 64 << stage
            blocks.append(Block(i, o, 2 if b == 0 and stage > 0 else 1))
            i = o
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


class Bottleneck(nn.Module):
    def __init__(self, i, middle, stride):
        super().__init__()
        o = 4 * middle
        self.body = nn.Sequential(
            nn.Conv2d(i, middle, 1, bias=False), nn.BatchNorm2d(middle), nn.ReLU(inplace=True),
            nn.Conv2d(middle, middle, 3, stride, 1, bias=False), nn.BatchNorm2d(middle), nn.ReLU(inplace=True),
            nn.Conv2d(middle, o, 1, bias=False), nn.BatchNorm2d(o))
        self.short = nn.Identity()
        if stride != 1 or i != o:
            self.short = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        return F.relu(self.body(x) + self.short(x), inplace=True)


def resnet50():
    blocks, i = [], 64
    for stage, count in enumerate((3, 4, 6, 3)):
        for b in range(count):
            blocks.append(Bottleneck(i, 64 << stage, 2 if b == 0 and stage > 0 else 1))
            i = 256 << stage
    return nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
                         nn.MaxPool2d(3, 2, 1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 10))


def vgg13_bn():
    layers, i = [], 3
    for o in (64, 128, 256, 512, 512):
        for _ in range(2):
            layers += [nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True)]
            i = o
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 512),
                         nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(512, 512), nn.ReLU(inplace=True),
                         nn.Dropout(), nn.Linear(512, 10))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(),
                         nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))


MODELS = {"mlp": (mlp, (1, 28, 28)), "resnet18_cifar": (lambda: resnet18(True), (3, 32, 32)),
          "resnet50_224": (resnet50, (3, 224, 224)),
          "resnet18_64": (lambda: resnet18(False), (3, 64, 64)), "vgg13_bn_64": (vgg13_bn, (3, 64, 64))}


# --- the rules ------------------------------------------------------------------------------------
def update(parameters, gradients):
    with torch.no_grad():
        torch._foreach_add_(parameters, gradients, alpha=-1e-3)


def median_of(groups):
    """By minima and maxima, several times as fast as torch.median of three."""
    a, b, c = groups
    low, high = torch._foreach_minimum(a, b), torch._foreach_maximum(a, b)
    return torch._foreach_maximum(low, torch._foreach_minimum(high, c))


def step_function(rule, model, forward, parameters, batch, cast=lambda f: f):
    """step(x, t) for the rule; `forward` is the model, compiled or not; `cast` puts it under autocast or not."""
    forward, functional_call = cast(forward), cast(torch.func.functional_call)

    def gradients(x, t):
        return torch.autograd.grad(F.cross_entropy(forward(x).float(), t), parameters)

    if rule == "mean":
        return lambda x, t: update(parameters, gradients(x, t))
    if rule == "m3 passes":
        return lambda x, t: update(parameters, median_of(
            [gradients(a, b) for a, b in zip(x.tensor_split(3), t.tensor_split(3))]))
    if rule == "m3 substeps":
        memory = []

        def substeps(x, t):
            for a, b in zip(x.tensor_split(3), t.tensor_split(3)):
                memory.append([g.clone() for g in gradients(a, b)])
                if len(memory) == 3:
                    update(parameters, median_of(memory))
                    memory.clear()
        return substeps
    if rule == "m3 vmap":
        names = [n for n, _ in model.named_parameters()]

        groups = torch.arange(batch, device=ARGS.device).tensor_split(3)
        rows = pad_sequence(groups, batch_first=True)
        weights = pad_sequence([torch.ones_like(g, dtype=torch.float) / len(g) for g in groups], batch_first=True)

        def loss(values, a, b, w):
            y = functional_call(model, dict(zip(names, values)), (a,)).float()
            return (F.cross_entropy(y, b, reduction="none") * w).sum()
        per_group = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0, 0))

        def by_group(x, t):
            stacked = per_group(tuple(parameters), x[rows], t[rows], weights)
            update(parameters, median_of(list(zip(*stacked))))
        return by_group
    if rule == "rm3":
        window = []

        def rolling(x, t):
            window.append(gradients(x, t))
            del window[:-3]
            if len(window) == 3:
                update(parameters, median_of(window))
        return rolling
    if rule == "winsorized:8":
        names = [n for n, _ in model.named_parameters()]

        def loss_of_one(values, a, b):
            y = functional_call(model, dict(zip(names, values)), (a[None],))
            return F.cross_entropy(y.float(), b[None])
        per_example = torch.func.vmap(torch.func.grad(loss_of_one), in_dims=(None, 0, 0))

        def winsorized(x, t):
            result = []
            for g in per_example(tuple(parameters), x, t):
                n = g.shape[0]
                low = round((n - 1) * 0.08)
                ordered = g.sort(dim=0).values
                result.append(g.clamp(min=ordered[low], max=ordered[n - 1 - low]).mean(dim=0))
            update(parameters, result)
        return winsorized
    raise ValueError(rule)


def recorded(step, x, t):
    """The whole step as one CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step(x, t)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(x, t)
    return lambda x, t: graph.replay()


def synchronize():
    if ON_GPU:
        torch.cuda.synchronize()


class Variant:
    def __init__(self, step, rule, layout, compiled, graphed):
        _, model_name, batch, precision, _ = step.split("/")
        batch = int(batch[1:])
        make, image = MODELS[model_name]
        torch.manual_seed(1)
        model = make().train().to(ARGS.device)
        self.x = torch.randn(batch, *image).to(ARGS.device)
        self.t = (torch.arange(batch) % 10).to(ARGS.device)
        if layout == "channels_last":
            model = model.to(memory_format=torch.channels_last)
            self.x = self.x.contiguous(memory_format=torch.channels_last)
        inner = torch.compile(model, dynamic=False) if compiled else model
        cast = torch.autocast(ARGS.device, torch.bfloat16) if precision == "bf16" else (lambda f: f)
        self.step = step_function(rule, model, lambda x: inner(x), list(model.parameters()), batch, cast)
        if graphed:
            self.step = recorded(self.step, self.x, self.t)
        self.name = f"{rule}, {'compiled' if compiled else 'eager'}{', graph' if graphed else ''}, {layout}"
        for _ in range(3):
            self.step(self.x, self.t)
        synchronize()
        self.repeats = 1
        self.repeats = max(1, int(0.7 / self.seconds()))

    def seconds(self):
        start = time.perf_counter()
        for _ in range(self.repeats):
            self.step(self.x, self.t)
        synchronize()
        return (time.perf_counter() - start) / self.repeats


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


@functools.cache
def step_flops(model_name, batch):
    """Floating-point operations of the convolutions and products of a step, by the textbook's count."""
    make, image = MODELS[model_name]
    batch = int(batch[1:])
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model = make()
        step = step_function("mean", model, model, list(model.parameters()), batch)
        step(torch.empty(batch, *image), torch.empty(batch, dtype=torch.long))
    return counter.get_total_flops()


PEAKS = []


def peak_flops():
    """Of this CPU on all threads, the largest so far: a neighbour may take a core away. Of a GPU it is not measured."""
    if ON_GPU:
        return None
    PEAKS.append(benchmarks("bench_ops", "--benchmark_filter=^peak/")[0]["flops"])
    return max(PEAKS)


def variants_of(step, compile_too):
    kind, model, _, _, rule = step.split("/")
    rules = {"m3": ["m3 passes", "m3 substeps"]}.get(rule, [rule])
    if rule == "m3" and model == "mlp":
        rules.append("m3 vmap")
    layouts = ["contiguous"] if model == "mlp" else ["channels_last"] if ON_GPU else ["contiguous", "channels_last"]
    found = []
    for r in rules:
        compiling = [False, True] if compile_too and r in ("mean", "m3 passes", "rm3") else [False]
        graphing = [False, True] if kind == "step_graph" and r in ("mean", "m3 passes") else [False]
        for layout, compiled, graphed in itertools.product(layouts, compiling, graphing):
            try:
                found.append(Variant(step, r, layout, compiled, graphed))
            except Exception as error:  # a variant that PyTorch cannot do is not a peer
                print(f"  {step}: no {r} {layout} compiled={compiled} graphed={graphed}: {str(error)[:100]}",
                      file=sys.stderr)
    if not found:
        raise RuntimeError("PyTorch can do it in no way")
    return found


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
        page = args.update.read_text()
        begin, end = "<!-- steps -->\n", "\n<!-- /steps -->"
        head, rest = page.split(begin)
        old, tail = rest.split(end)
        args.update.write_text(head + begin + merged(old, text) + end + tail)
    if failed:
        sys.exit(f"compare_pytorch: failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
