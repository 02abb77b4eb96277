#!/usr/bin/env python3
"""Exchanges weights with PyTorch, both ways, and compares what the models predict.

Usage: tests/models/exchange_weights.py IMAGE_FOLDER PHOTOGRAPH...
IMAGE_FOLDER: train/CLASS/*.jpg and val/CLASS/*.jpg with small images, to train on for some seconds.
Needs build/release, and Python with torch, torchvision and safetensors in a virtual environment
outside the repository.

1. torchvision's models with random weights and random batch norm statistics are saved with the
   safetensors package and read by build/release/bin/predict; the five likeliest classes and their
   probabilities must be PyTorch's, on the very pixels (build/release/bin/preprocess).
2. The same for weights as people pass them on: in half precision, bfloat16 and double precision,
   of a compiled model in DataParallel, without the counts of batches.
3. A ResNet-18 trained here for one epoch is loaded into torchvision's, strictly, and compared in
   the same way.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import load_file, save_file

BIN = pathlib.Path(__file__).resolve().parent.parent / "build/release/bin"
TOLERANCE = 0.02  # percentage points


def run(program, *arguments):
    return subprocess.run([BIN / program, *map(str, arguments)], check=True, capture_output=True,
                          text=True).stdout


def their_prediction(model, images):
    with torch.no_grad():
        logits = model.eval()(images)
    top = torch.softmax(logits.double(), 1).topk(5)
    return [[(100 * p, c) for p, c in zip(ps.tolist(), cs.tolist())]
            for ps, cs in zip(top.values, top.indices)]


def our_prediction(arguments, names=None):
    result = []
    for line in run("predict", *arguments).splitlines():
        if not line.startswith(" "):
            result.append([])
            continue
        share, name = line.strip().split(" %  ", 1)
        result[-1].append((float(share), names.index(name) if names else int(name.split()[1])))
    return result


def compare(title, ours, theirs):
    worst = 0.0
    for a, b in zip(ours, theirs, strict=True):
        for (share, label), (expected, expected_label) in zip(a, b, strict=True):
            worst = max(worst, abs(share - expected))
            if abs(share - expected) > TOLERANCE or label != expected_label:
                sys.exit(f"{title}: {share} % class {label}, PyTorch: {expected:.3f} % class {expected_label}")
    print(f"{title}: {len(ours)} images, largest difference {worst:.4f} percentage points", flush=True)


def randomized(model, images):
    """Random batch norm statistics, and a last layer whose logits are neither all alike nor far apart."""
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    with torch.no_grad():
        scale = model.eval()(images).std()
        last = list(model.parameters())[-2:]  # weight and bias
        for parameter in last:
            parameter /= scale
    return model


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    images, photographs = sys.argv[1], sys.argv[2:]
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)

        def pixels(size, files):
            run("preprocess", "--image-size", size, "--output", scratch / "pixels", *files)
            return load_file(scratch / "pixels")["images"]

        for name in ("resnet18", "resnet34", "resnet50", "vgg13_bn", "vgg16_bn", "inception_v3"):
            extra = {"init_weights": True, "transform_input": False} if name == "inception_v3" else {}
            inputs = pixels(299 if name == "inception_v3" else 224, photographs)
            model = randomized(getattr(torchvision.models, name)(weights=None, **extra), inputs)
            save_file({k: v.contiguous() for k, v in model.state_dict().items()}, scratch / "w")
            compare(f"PyTorch to cograd: {name}",
                    our_prediction(["--weights", scratch / "w", "--model", name, *photographs]),
                    their_prediction(model, inputs))

        model = randomized(torchvision.models.resnet18(weights=None), inputs := pixels(224, photographs))
        for dtype in (torch.float16, torch.bfloat16, torch.float64):
            model.load_state_dict({k: v.to(dtype).to(v.dtype) for k, v in model.state_dict().items()})
            wrapped = torch.nn.DataParallel(torch.compile(model)).state_dict()
            assert all(k.startswith("module._orig_mod.") for k in wrapped)
            save_file({k: v.to(dtype) for k, v in wrapped.items() if "num_batches" not in k}, scratch / "w")
            compare(f"PyTorch to cograd: resnet18 in {dtype}",
                    our_prediction(["--weights", scratch / "w", "--model", "resnet18", *photographs]),
                    their_prediction(model, inputs))

        run("label_noise", "--dataset", "tiny-imagenet", "--data", images, "--classes", 5,
            "--train-size", 400, "--test-size", 50, "--model", "resnet18", "--width", 64, "--epochs", 1,
            "--corrupt-fraction", 0, "--aggregator", "mean@20", "--lr", 0.02, "--output-dir",
            scratch / "run")
        weights = next((scratch / "run").glob("mean_b20_noise0*/weights.safetensors"))
        with safe_open(weights, "pt") as file:
            card = json.loads(file.metadata()["cograd_model"])
        model = torchvision.models.resnet18(weights=None, num_classes=5)
        model.load_state_dict(load_file(weights), strict=True)
        compare("cograd to PyTorch: resnet18",
                our_prediction(["--weights", weights, *photographs], card["class_names"]),
                their_prediction(model, pixels(64, photographs)))


if __name__ == "__main__":
    main()
