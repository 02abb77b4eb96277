#!/usr/bin/env python3
"""Writes optimizers.safetensors: trajectories of torch.optim.SGD, Adam and AdamW in float64.

Twenty random gradients of three parameters, their scales from 1e-4 to 10 and some of them zero; for
each case the parameters after some of the steps. Needs PyTorch and NumPy.

Usage: tests/golden/make_optimizers.py [OUTPUT]
"""
import json
import pathlib
import struct
import sys

import numpy as np
import torch

SHAPES = {"weight": (3, 5), "bias": (7,), "scale": (1,)}
STEPS = 20
KEPT = (1, 2, 3, 5, 10, 20)  # steps after which the parameters are kept
CASES = {
    "sgd": dict(optimizer="sgd", lr=0.1, weight_decay=0.01),
    "sgd_momentum": dict(optimizer="sgd", lr=0.05, momentum=0.9, weight_decay=1e-3),
    "sgd_nesterov": dict(optimizer="sgd", lr=0.05, momentum=0.5, nesterov=True),
    "adam": dict(optimizer="adam", lr=1e-3, betas=(0.9, 0.999), eps=1e-8),
    "adam_decay": dict(optimizer="adam", lr=0.01, betas=(0.5, 0.9), eps=1e-6, weight_decay=0.1),
    "adam_no_first_moment": dict(optimizer="adam", lr=0.1, betas=(0.0, 0.99), eps=1e-3),
    "adamw": dict(optimizer="adamw", lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01),
    "adamw_strong": dict(optimizer="adamw", lr=0.05, betas=(0.8, 0.95), eps=1e-8, weight_decay=0.5),
}
MADE_BY = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def write_safetensors(path, tensors, metadata):
    header, offset = {"__metadata__": metadata}, 0
    for name, array in tensors.items():
        end = offset + array.nbytes
        header[name] = {"dtype": "F64", "shape": list(array.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(np.ascontiguousarray(array, dtype="<f8").tobytes())


def main():
    output = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("optimizers.safetensors")
    random = np.random.default_rng(24)
    tensors = {}
    for name, shape in SHAPES.items():
        tensors[f"start.{name}"] = random.normal(size=shape)
        scales = 10.0 ** random.uniform(-4, 1, size=shape)
        gradients = random.normal(size=(STEPS, *shape)) * scales
        gradients[random.uniform(size=gradients.shape) < 0.05] = 0.0
        tensors[f"gradient.{name}"] = gradients
    for case, options in CASES.items():
        options = dict(options)
        made_by = MADE_BY[options.pop("optimizer")]
        parameters = {name: torch.nn.Parameter(torch.from_numpy(tensors[f"start.{name}"].copy())) for name in SHAPES}
        optimizer = made_by(parameters.values(), foreach=False, **options)
        after = {name: [] for name in SHAPES}
        for step in range(STEPS):
            for name, parameter in parameters.items():
                parameter.grad = torch.from_numpy(tensors[f"gradient.{name}"][step].copy())
            optimizer.step()
            for name, parameter in parameters.items():
                if step + 1 in KEPT:
                    after[name].append(parameter.detach().numpy().copy())
        for name in SHAPES:
            tensors[f"{case}.{name}"] = np.stack(after[name])
    metadata = {"made_by": f"torch {torch.__version__}", "kept": json.dumps(KEPT), "cases": json.dumps(CASES)}
    write_safetensors(output, tensors, metadata)


if __name__ == "__main__":
    main()
