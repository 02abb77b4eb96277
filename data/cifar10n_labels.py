#!/usr/bin/env python3
"""Converts CIFAR-10_human.pt of CIFAR-10N (Wei et al., ICLR 2022) into a label file.

Usage: data/cifar10n_labels.py CIFAR-10_human.pt >cifar10n.csv

The index counts in the order of CIFAR-10's batches, which is that of its binary version. The archive
is a zip with a pickle of NumPy arrays. It is read without NumPy or PyTorch, and runs no code.
"""
import array
import pickle
import sys
import zipfile

COLUMNS = {  # theirs, ours, and the published share of labels that differ from the clean ones
    "clean_label": ("true_label", 0.0),
    "aggre_label": ("aggregate", 0.0901),
    "worse_label": ("worst", 0.4021),
    "random_label1": ("random1", 0.1723),
    "random_label2": ("random2", 0.1812),
    "random_label3": ("random3", 0.1764),
}
EXAMPLES, CLASSES = 50000, 10
KINDS = {("i1", "|"): "b", ("u1", "|"): "B", ("i4", "<"): "i", ("i8", "<"): "q"}


class Dtype:
    def __init__(self, kind, *_):
        self.kind, self.order = kind, "|"

    def __setstate__(self, state):
        self.order = state[1]


class Array:
    values = ()

    def __setstate__(self, state):
        _, shape, dtype, _, data = state
        self.values = array.array(KINDS[dtype.kind, dtype.order], data)
        if shape != (len(self.values),):
            raise ValueError(f"an array of shape {shape}: expected one axis")


def reconstruct(*_):
    return Array()


def encode(text, encoding):  # how Python 3 writes bytes for Python 2
    return text.encode(encoding)


class Reader(pickle.Unpickler):
    """Knows what a NumPy array is made of and nothing else."""

    known = {"ndarray": Array, "dtype": Dtype, "_reconstruct": reconstruct, "encode": encode}

    def find_class(self, module, name):
        if name in self.known and module.split(".")[0] in ("numpy", "_codecs"):
            return self.known[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no part of an array of labels")


def labels_in(path):
    with zipfile.ZipFile(path) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("data.pkl")]
        with archive.open(name) as file:
            content = Reader(file).load()
    columns = {ours: list(content[theirs].values) for theirs, (ours, _) in COLUMNS.items()}
    for ours, rate in COLUMNS.values():
        labels = columns[ours]
        if len(labels) != EXAMPLES or not all(0 <= label < CLASSES for label in labels):
            raise ValueError(f"{ours}: expected {EXAMPLES} labels from 0 to {CLASSES - 1}")
        wrong = sum(a != b for a, b in zip(labels, columns["true_label"])) / EXAMPLES
        if abs(wrong - rate) > 0.00005:
            raise ValueError(f"{ours}: {wrong:.4f} of the labels are wrong: expected {rate}")
    return columns


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: data/cifar10n_labels.py CIFAR-10_human.pt >cifar10n.csv")
    try:
        columns = labels_in(sys.argv[1])
    except (OSError, KeyError, ValueError, AttributeError, zipfile.BadZipFile,
            pickle.UnpicklingError) as error:
        sys.exit(f"cifar10n_labels: {sys.argv[1]}: {error}")
    print(",".join(["index", *columns]))
    for index, row in enumerate(zip(*columns.values())):
        print(index, *row, sep=",")


if __name__ == "__main__":
    main()
