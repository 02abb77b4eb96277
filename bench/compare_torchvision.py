#!/usr/bin/env python3
"""Compares the image pipeline with torchvision's and PIL's: pixels, and images per second on one core.

Usage: bench/compare_torchvision.py FOLDER_OF_PHOTOGRAPHS [--rounds 5]
FOLDER must be named imagenet_samples (CLASS/FILE below it). Needs build/release, and Python with
torch, torchvision and Pillow, in a virtual environment outside the repository. Prints the tables of
docs/performance.md.

Pixels: the same files through Resize(256), CenterCrop(224), ToTensor, Normalize (299: Resize and
CenterCrop of 299) there and through build/release/bin/preprocess here; both sides' normalization is
undone, and the mean of the absolute difference is taken over all pixels of all images, in units of
1/255.
Speed: both sides read, decode and transform all photographs on one thread, in turns, measured in
processor time; the ratio of each round is taken, and the median of the ratios is reported.
"""
import argparse
import json
import os
import pathlib
import statistics
import struct
import subprocess
import tempfile
import time

import numpy as np
import torch
from PIL import Image
from torchvision import transforms as T

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build/release/bin"
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def read_images(path):
    raw = path.read_bytes()
    (length,) = struct.unpack_from("<Q", raw)
    entry = json.loads(raw[8:8 + length])["images"]
    begin, end = entry["data_offsets"]
    return np.frombuffer(raw[8 + length + begin:8 + length + end], "<f4").reshape(entry["shape"])


def pipeline(size, augment):
    if augment:
        steps = [T.RandomResizedCrop(size), T.RandomHorizontalFlip()]
    else:
        steps = [T.Resize(256 if size == 224 else size), T.CenterCrop(size)]
    return T.Compose(steps + [T.ToTensor(), T.Normalize(MEAN, STD)])


def compare_pixels(paths, size, scratch):
    out = scratch / "pixels.safetensors"
    subprocess.run([BIN / "preprocess", "--image-size", str(size), "--output", out, *paths],
                   check=True, stdout=subprocess.DEVNULL)
    ours = read_images(out)
    transform = pipeline(size, augment=False)
    std = np.array(STD, np.float32).reshape(3, 1, 1)
    worst, total = 0.0, 0.0
    for path, image in zip(paths, ours):
        theirs = transform(Image.open(path).convert("RGB")).numpy()
        difference = float(np.abs((image - theirs) * std).mean()) * 255
        worst, total = max(worst, difference), total + difference
    return total / len(paths), worst


def our_rate(name):
    out = subprocess.run([BIN / "bench_images", f"--benchmark_filter=^{name}$",
                          "--benchmark_format=json"], check=True, capture_output=True).stdout
    return json.loads(out)["benchmarks"][0]["items_per_second"]


def their_rate(paths, transform):
    start = time.process_time()
    for path in paths:
        transform(Image.open(path).convert("RGB"))
    return len(paths) / (time.process_time() - start)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    folder = args.folder.resolve()
    if folder.name != "imagenet_samples":
        parser.error(f"{folder} must be named imagenet_samples")
    paths = sorted(str(p) for p in folder.glob("*/*"))
    if not paths:
        parser.error(f"{folder} holds no CLASS/FILE")
    os.environ["COGRAD_DATA"] = str(folder.parent)
    torch.set_num_threads(1)

    print("| size | mean absolute difference of a pixel (1/255) | of the worst image |")
    print("| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as scratch:
        for size in (224, 299):
            mean, worst = compare_pixels(paths, size, pathlib.Path(scratch))
            print(f"| {size} | {mean:.2f} | {worst:.2f} |", flush=True)

    print("\n| transform | cograd, images/s | torchvision + PIL, images/s | ratio (min to max) |")
    print("| --- | --- | --- | --- |")
    for size, augment in ((224, False), (224, True), (299, False)):
        name = f"images/{size}/" + ("random_resized_crop" if augment else "center_crop")
        transform = pipeline(size, augment)
        their_rate(paths, transform)  # warm up
        rounds = [(our_rate(name), their_rate(paths, transform)) for _ in range(args.rounds)]
        ratios = [a / b for a, b in rounds]
        print(f"| {name} | {statistics.median(a for a, _ in rounds):.0f} "
              f"| {statistics.median(b for _, b in rounds):.0f} "
              f"| {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |", flush=True)


if __name__ == "__main__":
    main()
