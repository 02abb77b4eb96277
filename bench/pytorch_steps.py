"""Training steps in PyTorch, the peer of bench/compare_pytorch.py: cograd's models, each rule in the ways of PyTorch's
users, on the device that $COGRAD_DEVICE names."""
import functools
import itertools
import os
import sys
import time

import torch
import torch._dynamo
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence
from torch.utils.flop_counter import FlopCounterMode

DEVICE = os.environ.get("COGRAD_DEVICE", "cpu")
ON_GPU = DEVICE == "cuda"

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

        groups = torch.arange(batch, device=DEVICE).tensor_split(3)
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
        model = make().train().to(DEVICE)
        self.x = torch.randn(batch, *image).to(DEVICE)
        self.t = (torch.arange(batch) % 10).to(DEVICE)
        if layout == "channels_last":
            model = model.to(memory_format=torch.channels_last)
            self.x = self.x.contiguous(memory_format=torch.channels_last)
        inner = torch.compile(model, dynamic=False) if compiled else model
        cast = torch.autocast(DEVICE, torch.bfloat16) if precision == "bf16" else (lambda f: f)
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


def variants_of(step, compile_too):
    """The ways in which PyTorch can do a step named as bench_steps names it."""
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
