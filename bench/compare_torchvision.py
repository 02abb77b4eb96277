#!/usr/bin/env python3
"""Compares the image pipeline with torchvision's: pixels, and images per second on one core.

Usage: bench/compare_torchvision.py FOLDER_OF_PHOTOGRAPHS [--rounds 5]
FOLDER must be named imagenet_samples (CLASS/FILE below it). Needs build/release, cjpeg (Debian:
libjpeg-turbo-progs), and Python with torch, torchvision and Pillow, in a virtual environment outside
the repository. Prints the tables of docs/performance.md.

Pixels: the same files through Resize(256), CenterCrop(224), ToTensor, Normalize (other sizes: Resize
and CenterCrop to that size) on PIL images there, and through build/release/bin/preprocess here; both
sides' normalization is undone, and the mean of the absolute difference is taken over all pixels of all
images, in units of 1/255. The photographs are taken as they are, and encoded again at each subsampling.
Speed: all sides read, decode and transform all photographs on one thread, in turns, measured in
processor time; the ratio of each round is taken, and the median of the ratios is reported. The peers
are torchvision's transforms on PIL images, and its faster ones on tensors that torchvision.io decoded.
"""
import argparse
import io
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
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms import v2

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build/release/bin"
SUBSAMPLINGS = {"4:4:4": "1x1", "4:2:2": "2x1", "4:2:0": "2x2", "4:4:0": "1x2", "4:1:1": "4x1",
                "gray": None}
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def read_images(path):
    raw = path.read_bytes()
    (length,) = struct.unpack_from("<Q", raw)
    entry = json.loads(raw[8:8 + length])["images"]
    begin, end = entry["data_offsets"]
    return np.frombuffer(raw[8 + length + begin:8 + length + end], "<f4").reshape(entry["shape"])


def on_pil(size, augment):
    if augment:
        steps = [T.RandomResizedCrop(size), T.RandomHorizontalFlip()]
    else:
        steps = [T.Resize(256 if size == 224 else size), T.CenterCrop(size)]
    transform = T.Compose(steps + [T.ToTensor(), T.Normalize(MEAN, STD)])
    return lambda path: transform(Image.open(path).convert("RGB"))


def on_tensors(size, augment):
    if augment:
        steps = [v2.RandomResizedCrop(size, antialias=True), v2.RandomHorizontalFlip()]
    else:
        steps = [v2.Resize(256 if size == 224 else size, antialias=True), v2.CenterCrop(size)]
    transform = v2.Compose(steps + [v2.ToDtype(torch.float32, scale=True),
                                    v2.Normalize(MEAN, STD, inplace=True)])
    return lambda path: transform(decode_image(path, mode=ImageReadMode.RGB))


def encode_again(paths, folder, sampling):
    """The photographs as JPEGs of another subsampling; None: gray."""
    folder.mkdir()
    for i, path in enumerate(paths):
        pixels = io.BytesIO()
        Image.open(path).convert("RGB" if sampling else "L").save(pixels, "PPM")
        options = ["-sample", f"{sampling},1x1,1x1"] if sampling else []
        jpeg = subprocess.run(["cjpeg", "-quality", "92", *options], input=pixels.getvalue(),
                              check=True, capture_output=True).stdout
        (folder / f"{i:03}.jpg").write_bytes(jpeg)
    return sorted(str(p) for p in folder.iterdir())


def compare_pixels(paths, size, scratch):
    out = scratch / "pixels.safetensors"
    subprocess.run([BIN / "preprocess", "--image-size", str(size), "--output", out, *paths],
                   check=True, stdout=subprocess.DEVNULL)
    ours = read_images(out)
    transform = on_pil(size, augment=False)
    std = np.array(STD, np.float32).reshape(3, 1, 1)
    worst, total = 0.0, 0.0
    for path, image in zip(paths, ours):
        theirs = transform(path).numpy()
        difference = float(np.abs((image - theirs) * std).mean()) * 255
        worst, total = max(worst, difference), total + difference
    return total / len(paths), worst


def our_rate(name):
    out = subprocess.run([BIN / "bench_images", f"--benchmark_filter=^{name}$",
                          "--benchmark_format=json"], check=True, capture_output=True).stdout
    return json.loads(out)["benchmarks"][0]["items_per_second"]


def their_rate(paths, load):
    start = time.process_time()
    with torch.inference_mode():
        for path in paths:
            load(path)
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

    print("| photographs | size | mean absolute difference of a pixel (1/255) | of the worst image |")
    print("| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        kinds = {"as they are": paths}
        for kind, sampling in SUBSAMPLINGS.items():
            kinds[kind] = encode_again(paths, scratch / kind.replace(":", ""), sampling)
        for kind, files in kinds.items():
            for size in (32, 64, 224, 299):
                mean, worst = compare_pixels(files, size, scratch)
                print(f"| {kind} | {size} | {mean:.2f} | {worst:.2f} |", flush=True)

    print("\n| transform | peer | cograd, images/s | peer, images/s | ratio (min to max) |")
    print("| --- | --- | --- | --- | --- |")
    for size, augment in ((224, False), (224, True), (299, False)):
        name = f"images/{size}/" + ("random_resized_crop" if augment else "center_crop")
        peers = {"tensors": on_tensors(size, augment), "PIL": on_pil(size, augment)}
        for load in peers.values():
            their_rate(paths, load)  # warm up
        rounds = [(our_rate(name), {p: their_rate(paths, load) for p, load in peers.items()})
                  for _ in range(args.rounds)]
        for peer in peers:
            ratios = [ours / theirs[peer] for ours, theirs in rounds]
            print(f"| {name} | {peer} | {statistics.median(ours for ours, _ in rounds):.0f} "
                  f"| {statistics.median(theirs[peer] for _, theirs in rounds):.0f} "
                  f"| {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |",
                  flush=True)


if __name__ == "__main__":
    main()
